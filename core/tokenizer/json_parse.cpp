#include <boost/json/basic_parser_impl.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "tokenizer/json_text.hpp"

namespace ds4 {
namespace {

namespace json = boost::json;

// Builds a JsonValue from the events of the parser. It only ever sees well-formed sequences of
// events; numbers arrive as their source text.
class Builder {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  using Code = json::error_code;
  using View = json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return open(JsonValue::Kind::object); }
  bool on_object_end(std::size_t, Code&) { return close(); }
  bool on_array_begin(Code&) { return open(JsonValue::Kind::array); }
  bool on_array_end(std::size_t, Code&) { return close(); }
  bool on_key_part(View part, std::size_t, Code&) { return append(part); }
  bool on_key(View part, std::size_t, Code&) {
    append(part);
    stack_.back().key = std::exchange(pending_, {});
    return true;
  }
  bool on_string_part(View part, std::size_t, Code&) { return append(part); }
  bool on_string(View part, std::size_t, Code&) {
    append(part);
    return add_text(JsonValue::Kind::string);
  }
  bool on_number_part(View part, Code&) { return append(part); }
  bool on_int64(std::int64_t, View part, Code&) { return on_number(part); }
  bool on_uint64(std::uint64_t, View part, Code&) { return on_number(part); }
  bool on_double(double, View part, Code&) { return on_number(part); }
  bool on_bool(bool value, Code&) {
    JsonValue out;
    out.kind = JsonValue::Kind::boolean;
    out.boolean = value;
    return add(std::move(out));
  }
  bool on_null(Code&) { return add(JsonValue{}); }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }

  JsonValue take() { return std::move(root_); }

 private:
  struct Level {
    JsonValue value;
    std::string key;
    // Position of each key of an object, so that a repeated key is found without a scan.
    std::unordered_map<std::string, std::size_t> positions;
  };

  bool append(View part) {
    pending_.append(part.data(), part.size());
    return true;
  }
  bool on_number(View part) {
    append(part);
    return add_text(JsonValue::Kind::number);
  }
  bool add_text(JsonValue::Kind kind) {
    JsonValue out;
    out.kind = kind;
    out.text = std::exchange(pending_, {});
    return add(std::move(out));
  }
  bool open(JsonValue::Kind kind) {
    stack_.emplace_back();
    stack_.back().value.kind = kind;
    return true;
  }
  bool close() {
    JsonValue done = std::move(stack_.back().value);
    stack_.pop_back();
    return add(std::move(done));
  }
  bool add(JsonValue value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Level& level = stack_.back();
    if (level.value.is(JsonValue::Kind::array)) {
      level.value.items.push_back(std::move(value));
      return true;
    }
    const auto [at, is_new] = level.positions.emplace(level.key, level.value.items.size());
    if (is_new) {
      level.value.add(std::move(level.key), std::move(value));
    } else {
      level.value.items[at->second] = std::move(value);
    }
    return true;
  }

  JsonValue root_;
  std::vector<Level> stack_;
  std::string pending_;
};

std::optional<unsigned> hex4(std::string_view text) noexcept {
  if (text.size() < 4) return std::nullopt;
  unsigned out = 0;
  for (const char c : text.substr(0, 4)) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<unsigned>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
    out = out * 16 + digit;
  }
  return out;
}

// The code unit of a \uXXXX escape at `at`.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) noexcept {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  return hex4(text.substr(at + 2));
}

// The text with \ufffd for each lone surrogate escape: clients cut strings inside pairs, and the
// parser refuses them. The length stays. In valid JSON a backslash only stands in a string.
std::string without_lone_surrogates(std::string_view text) {
  std::string out(text);
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const auto unit = escaped_unit(text, at);
    if (!unit) {
      at += 2;
      continue;
    }
    const auto next = escaped_unit(text, at + 6);
    if (*unit >= 0xD800 && *unit < 0xDC00 && next && *next >= 0xDC00 && *next < 0xE000) {
      at += 12;
      continue;
    }
    if (*unit >= 0xD800 && *unit < 0xE000) out.replace(at, 6, "\\ufffd");
    at += 6;
  }
  return out;
}

bool numbers_fit(const JsonValue& value, std::string& bad) {
  if (value.is(JsonValue::Kind::number) && !json_number_text(value.text)) {
    bad = value.text;
    return false;
  }
  for (const JsonValue& item : value.items) {
    if (!numbers_fit(item, bad)) return false;
  }
  return true;
}

}  // namespace

Result<JsonValue> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kJsonDepth;
  json::basic_parser<Builder> parser(options);
  const std::string clean = without_lone_surrogates(text);
  json::error_code error;
  const std::size_t read = parser.write_some(false, clean.data(), clean.size(), error);
  if (!error && read < clean.size()) error = json::error::extra_data;
  if (error) {
    return fail(Errc::invalid_argument, "not valid JSON at byte ", read, ": ", error.message());
  }
  JsonValue out = parser.handler().take();
  std::string bad;
  if (!numbers_fit(out, bad)) {
    return fail(Errc::invalid_argument, "the JSON number ", bad.substr(0, 64),
                " is beyond the range of a double");
  }
  return out;
}

}  // namespace ds4
