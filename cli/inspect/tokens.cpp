#include "inspect/tokens.hpp"

#include <iostream>
#include <iterator>

#include "common/json_writer.hpp"
#include "common/runtime.hpp"
#include "format/gguf_reader.hpp"

namespace ds4::inspect {

Result<std::string> show_tokens(const InspectOptions& options) {
  DS4_TRY(const GgufFile file, GgufFile::open(options.files.front()));
  DS4_TRY(const Tokenizer tokenizer, cli::open_tokenizer(file, {}));
  std::string text;
  if (options.text) {
    text = *options.text;
  } else {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  DS4_TRY(const std::vector<std::int32_t> ids, tokenizer.encode_rendered(text));
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  cli::JsonWriter json;
  json.begin_object();
  json.key("bytes").unsigned_integer(text.size());
  json.key("tokens").begin_array();
  std::string lines;
  for (const std::int32_t id : ids) {
    const std::string_view bytes = vocabulary.bytes(id);
    json.line_break().begin_object();
    json.key("id").integer(id);
    json.key("bytes").string(bytes);
    json.key("control").boolean(vocabulary.is_special(id));
    json.end_object();
    cli::JsonWriter quoted;
    quoted.string(bytes);
    const std::string number = std::to_string(id);
    lines.append(number.size() < 6 ? 6 - number.size() : 0, ' ').append(number).append("  ");
    lines.append(quoted.take()).append(vocabulary.is_special(id) ? "  control\n" : "\n");
  }
  json.end_array().end_object();
  if (options.prints_json) return json.take() + "\n";
  return std::to_string(text.size()) + " bytes, " + std::to_string(ids.size()) + " tokens\n" +
         lines;
}

}  // namespace ds4::inspect
