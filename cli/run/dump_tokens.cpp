#include "run/dump_tokens.hpp"

#include "tokenizer/byte_mapping.hpp"

namespace ds4::run {

Result<std::string> dump_tokens(const Tokenizer& tokenizer, const std::string& text) {
  DS4_TRY(const std::vector<std::int32_t> ids, tokenizer.encode_rendered(text));
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  std::string out = "[";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.append(i == 0 ? "" : ", ").append(std::to_string(ids[i]));
  }
  out.append("]\n");
  for (const std::int32_t id : ids) {
    const std::string number = std::to_string(id);
    out.append(number.size() < 6 ? 6 - number.size() : 0, ' ').append(number).append("  ");
    const std::string_view bytes = vocabulary.bytes(id);
    out.append(vocabulary.is_special(id) ? std::string(bytes) : map_bytes(bytes)).append("\n");
  }
  return out;
}

}  // namespace ds4::run
