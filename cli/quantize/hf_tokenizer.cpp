#include "quantize/hf_tokenizer.hpp"

#include <charconv>
#include <optional>

#include "quantize/checkpoint.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4::quantize {
namespace {

using Kind = JsonValue::Kind;

constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;
constexpr std::int32_t kUnused = 5;

std::optional<std::uint32_t> as_id(const JsonValue* value) {
  if (value == nullptr || !value->is(Kind::number)) return std::nullopt;
  std::uint32_t out = 0;
  const char* end = value->text.data() + value->text.size();
  const auto [stop, code] = std::from_chars(value->text.data(), end, out);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return out;
}

class Reader {
 public:
  Reader(std::uint32_t vocab, std::string_view file) : file_(file) {
    table_.tokens.resize(vocab);
    table_.types.assign(vocab, kUnused);
  }

  Result<TokenTable> read(const JsonValue& root) {
    const JsonValue* model = root.find("model");
    const JsonValue* vocab = model == nullptr ? nullptr : model->find("vocab");
    const JsonValue* merges = model == nullptr ? nullptr : model->find("merges");
    if (vocab == nullptr || !vocab->is(Kind::object) || merges == nullptr ||
        !merges->is(Kind::array)) {
      return fail(Errc::bad_file, file_, ": needs model.vocab and model.merges");
    }
    const JsonValue* type = model->find("type");
    if (type != nullptr && type->text != "BPE") {
      return fail(Errc::unsupported, file_, ": model.type is ", json_text(*type),
                  ", byte-level BPE is supported");
    }
    for (std::size_t i = 0; i < vocab->items.size(); ++i) {
      DS4_CHECK(add(vocab->keys[i], &vocab->items[i], kNormal));
    }
    for (const JsonValue& merge : merges->items) DS4_CHECK(add_merge(merge));
    if (const JsonValue* added = root.find("added_tokens"); added != nullptr) {
      for (const JsonValue& token : added->items) DS4_CHECK(add_special(token));
    }
    for (std::size_t id = 0; id < table_.tokens.size(); ++id) {
      if (table_.types[id] == kUnused) table_.tokens[id] = "[PAD" + std::to_string(id) + "]";
    }
    return std::move(table_);
  }

 private:
  Result<void> add(const std::string& text, const JsonValue* id_value, std::int32_t type) {
    const auto id = as_id(id_value);
    if (!id || *id >= table_.tokens.size()) {
      return fail(Errc::bad_file, file_, ": token '", text, "' has an id outside 0..",
                  table_.tokens.size() - 1, " (vocab_size of config.json)");
    }
    // An added token may repeat an entry of the vocabulary; it then decides the type.
    if (table_.types[*id] != kUnused && table_.tokens[*id] != text) {
      return fail(Errc::bad_file, file_, ": id ", *id, " belongs to '", table_.tokens[*id],
                  "' and to '", text, "'");
    }
    table_.tokens[*id] = text;
    table_.types[*id] = type;
    return {};
  }

  Result<void> add_special(const JsonValue& token) {
    const JsonValue* content = token.find("content");
    const JsonValue* special = token.find("special");
    if (content == nullptr || !content->is(Kind::string)) {
      return fail(Errc::bad_file, file_, ": an entry of added_tokens has no content");
    }
    const bool is_control = special != nullptr && special->is(Kind::boolean) && special->boolean;
    return add(content->text, token.find("id"), is_control ? kControl : kUserDefined);
  }

  Result<void> add_merge(const JsonValue& merge) {
    if (merge.is(Kind::string) && merge.text.find(' ', 1) != std::string::npos) {
      table_.merges.push_back(merge.text);
      return {};
    }
    const bool is_pair = merge.is(Kind::array) && merge.items.size() == 2 &&
                         merge.items[0].is(Kind::string) && merge.items[1].is(Kind::string);
    if (!is_pair) {
      return fail(Errc::bad_file, file_, ": merge ", table_.merges.size(), " is ", json_text(merge),
                  ", wanted two symbols");
    }
    table_.merges.push_back(merge.items[0].text + " " + merge.items[1].text);
    return {};
  }

  std::string_view file_;
  TokenTable table_;
};

}  // namespace

Result<TokenTable> parse_hf_tokenizer(std::string_view text, std::uint32_t vocab,
                                      std::string_view file) {
  auto root = parse_json(text);
  if (!root) return Error{Errc::bad_file, root.error().what}.in(file);
  return Reader(vocab, file).read(*root);
}

Result<TokenTable> read_hf_tokenizer(const std::filesystem::path& folder, std::uint32_t vocab) {
  const std::filesystem::path path = folder / "tokenizer.json";
  DS4_TRY(const std::string text, read_text(path));
  return parse_hf_tokenizer(text, vocab, path.string());
}

}  // namespace ds4::quantize
