#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"

namespace ds4 {

/// What a token table says about one token; the numbers are those of `tokenizer.ggml.token_type`.
enum class TokenType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

/// The token table as it stands in a model file; plain views, only read during Vocabulary::make().
struct VocabularySource {
  std::vector<std::string_view> tokens;  ///< index = id; normal tokens in the byte mapping
  std::vector<std::int32_t> types;       ///< TokenType per token; empty = all normal
  std::vector<std::string_view> merges;  ///< "left right", rank = index
  std::string_view model;                ///< tokenizer.ggml.model, "gpt2"
  std::string_view pre;                  ///< tokenizer.ggml.pre, "joyai-llm"
  std::optional<std::uint32_t> bos;      ///< tokenizer.ggml.bos_token_id
  std::optional<std::uint32_t> eos;      ///< tokenizer.ggml.eos_token_id
};

/// Whether a table without the chat tokens is acceptable (raw text models, small test models).
enum class ChatTokens { required, optional };

/// Ids of the tokens that prompts are built from, found by exact string; -1 = not in the table.
struct SpecialIds {
  std::int32_t bos = -1;
  std::int32_t eos = -1;
  std::int32_t user = -1;
  std::int32_t assistant = -1;
  std::int32_t think_open = -1;
  std::int32_t think_close = -1;
  std::int32_t dsml = -1;
};

/// One merge of byte-level BPE over symbols: `left` `right` -> `result`, rank = index in the list.
/// Symbols below Vocabulary::size() are token ids; the others only occur between merges.
struct Merge {
  std::int32_t left;
  std::int32_t right;
  std::int32_t result;
};

/// The token table: ids, their bytes, the merges as symbol triples. Immutable, thread-safe, owns
/// all.
class Vocabulary {
 public:
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  /// Checks and copies a table.
  /// Errors: bad_file (no tokens, type count differs, unknown type, control or user-defined token
  /// of more than 1024 bytes, malformed merge, BOS or EOS id out of range or in conflict with its
  /// string, chat tokens absent unless optional),
  /// unsupported (model or pre of another tokenizer). A duplicate token or merge is logged; the
  /// first one counts.
  static Result<Vocabulary> make(const VocabularySource& source,
                                 ChatTokens chat = ChatTokens::required, const LogSink& log = {});

  [[nodiscard]] std::int32_t size() const noexcept {
    return static_cast<std::int32_t>(types_.size());
  }
  [[nodiscard]] bool contains(std::int32_t id) const noexcept { return id >= 0 && id < size(); }
  /// Type of a token; unknown for an id outside the table.
  [[nodiscard]] TokenType type(std::int32_t id) const noexcept;
  /// True for control and user-defined tokens: those that text never produces.
  [[nodiscard]] bool is_special(std::int32_t id) const noexcept;

  /// The bytes a token stands for (not necessarily whole UTF-8); empty for an id outside the table.
  [[nodiscard]] std::string_view bytes(std::int32_t id) const noexcept;
  /// The id of a control or user-defined token by its exact text.
  [[nodiscard]] std::optional<std::int32_t> find_special(std::string_view text) const noexcept;
  /// The id of a normal token by the bytes it stands for.
  [[nodiscard]] std::optional<std::int32_t> find_normal(std::string_view bytes) const noexcept;
  [[nodiscard]] const SpecialIds& special() const noexcept { return special_; }
  /// Ids of all control and user-defined tokens, ascending.
  [[nodiscard]] const std::vector<std::int32_t>& special_tokens() const noexcept {
    return special_tokens_;
  }

  /// For the merger: the symbol of each byte, and the merges by falling priority.
  [[nodiscard]] const std::array<std::int32_t, 256>& byte_symbols() const noexcept {
    return byte_symbols_;
  }
  [[nodiscard]] const std::vector<Merge>& merges() const noexcept { return merges_; }
  /// Bytes of a symbol, token or not.
  [[nodiscard]] std::string_view symbol_bytes(std::int32_t symbol) const noexcept;

 private:
  Vocabulary() = default;
  Result<void> add_tokens(const VocabularySource& source, const LogSink& log);
  Result<void> add_merges(const VocabularySource& source, const LogSink& log);
  Result<void> find_chat_tokens(const VocabularySource& source, ChatTokens chat);
  std::int32_t append(std::string_view bytes);
  std::int32_t symbol_for(std::string_view bytes);

  std::vector<TokenType> types_;
  std::string text_;               // bytes of all symbols; its buffer never moves, the maps view it
  std::vector<std::size_t> ends_;  // end of each symbol in text_
  std::unordered_map<std::string_view, std::int32_t> normal_;
  std::unordered_map<std::string_view, std::int32_t> by_text_;
  std::unordered_map<std::string_view, std::int32_t> between_;  // symbols that are no token
  std::vector<std::int32_t> special_tokens_;
  std::array<std::int32_t, 256> byte_symbols_{};
  std::vector<Merge> merges_;
  SpecialIds special_;
};

}  // namespace ds4
