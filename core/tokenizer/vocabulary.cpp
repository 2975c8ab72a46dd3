#include "tokenizer/vocabulary.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.hpp"
#include "tokenizer/byte_mapping.hpp"
#include "tokenizer/profile.hpp"

namespace ds4 {
namespace {

constexpr std::array<std::string_view, 4> kKnownSplitters = {"joyai-llm", "deepseek-v3",
                                                             "deepseek-v4", "hunyuan-dense"};

// Markers are looked for at every byte of a prompt, in each length that occurs: this bounds the
// work.
constexpr std::size_t kMaxSpecialBytes = 1024;

std::optional<int> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// "<0x0A>" -> "\n"; anything else stays as it is.
std::string byte_token_bytes(std::string_view text) {
  if (text.size() == 6 && text.starts_with("<0x") && text.back() == '>') {
    const auto high = hex_digit(text[3]);
    const auto low = hex_digit(text[4]);
    if (high && low) return std::string(1, static_cast<char>(*high * 16 + *low));
  }
  return std::string(text);
}

std::string token_bytes(TokenType type, std::string_view text) {
  if (type == TokenType::byte) return byte_token_bytes(text);
  if (type == TokenType::normal) {
    if (auto bytes = unmap_bytes(text)) return *std::move(bytes);
  }
  return std::string(text);
}

void warn(const LogSink& log, const Error& error) {
  if (log) log(LogLevel::warning, "tokenizer", error.what);
}

Result<void> check_source(const VocabularySource& source) {
  if (source.model != "gpt2") {
    return fail(Errc::unsupported,
                "tokenizer.ggml.model: expected 'gpt2' (byte-level BPE), found '", source.model,
                "'");
  }
  if (std::find(kKnownSplitters.begin(), kKnownSplitters.end(), source.pre) ==
      kKnownSplitters.end()) {
    return fail(Errc::unsupported,
                "tokenizer.ggml.pre: expected 'joyai-llm' or 'deepseek-v3', found '", source.pre,
                "'; the text would be split in other places");
  }
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (source.tokens.empty() || source.tokens.size() > kMost / 2) {
    return fail(Errc::bad_file, "tokenizer.ggml.tokens: expected 1 to ", kMost / 2,
                " entries, found ", source.tokens.size());
  }
  if (source.merges.size() > kMost / 4) {
    return fail(Errc::bad_file, "tokenizer.ggml.merges: expected at most ", kMost / 4,
                " entries, found ", source.merges.size());
  }
  if (!source.types.empty() && source.types.size() != source.tokens.size()) {
    return fail(Errc::bad_file, "tokenizer.ggml.token_type: expected ", source.tokens.size(),
                " entries, one per token, found ", source.types.size());
  }
  return {};
}

}  // namespace

Result<Vocabulary> Vocabulary::make(const VocabularySource& source, ChatTokens chat,
                                    const LogSink& log) {
  DS4_CHECK(check_source(source));
  Vocabulary out;
  // Decoded strings are never longer than mapped ones, so this bounds what append() may need.
  std::size_t bytes = 256;
  for (const std::string_view token : source.tokens) bytes += token.size();
  for (const std::string_view merge : source.merges) bytes += 2 * merge.size();
  out.text_.reserve(bytes);
  DS4_CHECK(out.add_tokens(source, log));
  DS4_CHECK(out.add_merges(source, log));
  DS4_CHECK(out.find_chat_tokens(source, chat));
  return out;
}

std::int32_t Vocabulary::append(std::string_view bytes) {
  DS4_ASSERT(text_.capacity() - text_.size() >= bytes.size());
  text_ += bytes;
  ends_.push_back(text_.size());
  return static_cast<std::int32_t>(ends_.size() - 1);
}

Result<void> Vocabulary::add_tokens(const VocabularySource& source, const LogSink& log) {
  types_.reserve(source.tokens.size());
  ends_.reserve(source.tokens.size());
  for (std::size_t i = 0; i < source.tokens.size(); ++i) {
    const std::int32_t number = source.types.empty() ? 1 : source.types[i];
    if (number < 1 || number > 6) {
      return fail(Errc::bad_file, "tokenizer.ggml.token_type[", i, "]: expected 1 to 6, found ",
                  number);
    }
    types_.push_back(static_cast<TokenType>(number));
    if (is_special(static_cast<std::int32_t>(i)) && source.tokens[i].size() > kMaxSpecialBytes) {
      return fail(Errc::bad_file, "tokenizer.ggml.tokens[", i, "]: expected at most ",
                  kMaxSpecialBytes, " bytes in a control or user-defined token, found ",
                  source.tokens[i].size());
    }
    append(token_bytes(types_.back(), source.tokens[i]));
  }
  std::size_t duplicates = 0;
  const auto index = [&](auto& map, std::int32_t id) {
    const std::string_view text = bytes(id);
    if (!text.empty() && !map.emplace(text, id).second) ++duplicates;
  };
  for (std::int32_t id = 0; id < size(); ++id) {
    if (is_special(id)) {
      if (!bytes(id).empty()) special_tokens_.push_back(id);
      index(by_text_, id);
    } else if (type(id) == TokenType::normal) {
      index(normal_, id);
    }
  }
  // A byte token only counts where no normal token stands for that byte.
  for (std::int32_t id = 0; id < size(); ++id) {
    if (type(id) == TokenType::byte && !bytes(id).empty()) normal_.emplace(bytes(id), id);
  }
  if (duplicates > 0) {
    warn(log, fail(Errc::bad_file, "tokenizer.ggml.tokens: ", duplicates,
                   " strings occur more than once; the first id of each is used"));
  }
  return {};
}

std::int32_t Vocabulary::symbol_for(std::string_view bytes) {
  if (const auto id = find_normal(bytes)) return *id;
  if (const auto at = between_.find(bytes); at != between_.end()) return at->second;
  const std::int32_t symbol = append(bytes);
  between_.emplace(symbol_bytes(symbol), symbol);
  return symbol;
}

Result<void> Vocabulary::add_merges(const VocabularySource& source, const LogSink& log) {
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    byte_symbols_[static_cast<std::size_t>(byte)] = symbol_for({&text, 1});
  }
  merges_.reserve(source.merges.size());
  for (std::size_t rank = 0; rank < source.merges.size(); ++rank) {
    const std::string_view text = source.merges[rank];
    const std::size_t space = text.find(' ', 1);
    const bool one_space = space != std::string_view::npos && space + 1 < text.size() &&
                           text.find(' ', space + 1) == std::string_view::npos;
    const auto left = one_space ? unmap_bytes(text.substr(0, space)) : std::nullopt;
    const auto right = one_space ? unmap_bytes(text.substr(space + 1)) : std::nullopt;
    if (!left || !right) {
      return fail(Errc::bad_file, "tokenizer.ggml.merges[", rank,
                  "]: expected two byte-mapped symbols separated by one space, found '",
                  text.substr(0, 64), "'");
    }
    const std::int32_t left_symbol = symbol_for(*left);
    const std::int32_t right_symbol = symbol_for(*right);
    merges_.push_back({left_symbol, right_symbol, symbol_for(*left + *right)});
  }
  if (!between_.empty()) {
    warn(log, fail(Errc::bad_file, "tokenizer.ggml.tokens: ", between_.size(),
                   " symbols of the merges or bytes are no token"));
  }
  return {};
}

Result<void> Vocabulary::find_chat_tokens(const VocabularySource& source, ChatTokens chat) {
  const PromptMarkers& markers = v4_profile().markers;
  const std::array<std::pair<std::string_view, std::int32_t*>, 7> wanted = {{
      {markers.bos, &special_.bos},
      {markers.eos, &special_.eos},
      {markers.user, &special_.user},
      {markers.assistant, &special_.assistant},
      {markers.think_open, &special_.think_open},
      {markers.think_close, &special_.think_close},
      {markers.dsml, &special_.dsml},
  }};
  std::string missing;
  for (const auto& [text, id] : wanted) {
    if (const auto found = find_special(text)) {
      *id = *found;
    } else {
      missing.append(missing.empty() ? "" : " ").append(text);
    }
  }
  if (chat == ChatTokens::required && !missing.empty()) {
    return fail(Errc::bad_file, "tokenizer.ggml.tokens: no control or user-defined token ", missing,
                "; chat needs them, use raw token mode for a model without");
  }
  const auto agree = [this](std::string_view key, std::optional<std::uint32_t> given,
                            std::int32_t& id) -> Result<void> {
    if (!given) return {};
    if (*given >= static_cast<std::uint32_t>(size())) {
      return fail(Errc::bad_file, key, ": expected an id below ", size(), ", found ", *given);
    }
    if (id >= 0 && static_cast<std::uint32_t>(id) != *given) {
      return fail(Errc::bad_file, key, ": the file says ", *given,
                  ", but the token with that text is ", id);
    }
    id = static_cast<std::int32_t>(*given);
    return {};
  };
  DS4_CHECK(agree("tokenizer.ggml.bos_token_id", source.bos, special_.bos));
  DS4_CHECK(agree("tokenizer.ggml.eos_token_id", source.eos, special_.eos));
  return {};
}

TokenType Vocabulary::type(std::int32_t id) const noexcept {
  return contains(id) ? types_[static_cast<std::size_t>(id)] : TokenType::unknown;
}

bool Vocabulary::is_special(std::int32_t id) const noexcept {
  return type(id) == TokenType::control || type(id) == TokenType::user_defined;
}

std::string_view Vocabulary::bytes(std::int32_t id) const noexcept {
  return contains(id) ? symbol_bytes(id) : std::string_view();
}

std::string_view Vocabulary::symbol_bytes(std::int32_t symbol) const noexcept {
  const auto i = static_cast<std::size_t>(symbol);
  if (symbol < 0 || i >= ends_.size()) return {};
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(text_).substr(begin, ends_[i] - begin);
}

std::optional<std::int32_t> Vocabulary::find_special(std::string_view text) const noexcept {
  const auto at = by_text_.find(text);
  if (at == by_text_.end()) return std::nullopt;
  return at->second;
}

std::optional<std::int32_t> Vocabulary::find_normal(std::string_view text) const noexcept {
  const auto at = normal_.find(text);
  if (at == normal_.end()) return std::nullopt;
  return at->second;
}

}  // namespace ds4
