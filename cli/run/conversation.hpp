#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tokenizer/profile.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run {

/// One finished exchange.
struct Turn {
  std::string user;
  bool opens_thinking = false;
  std::string answer;                ///< as generated; thinking, its closing tag and the text
  std::vector<std::int32_t> tokens;  ///< from the user marker to the end of sequence
};

/// The token transcript of a chat: a head (beginning of sequence, effort prefix, system text) and
/// finished turns. A turn's tokens are kept as they were sampled, so the model's state stays a
/// prefix of the next prompt.
class Conversation {
 public:
  /// Errors: unsupported when the tokenizer lacks the chat tokens.
  static Result<Conversation> make(Tokenizer tokenizer, const ModelProfile& profile,
                                   std::string system);

  /// The whole prompt for a new user message at this thinking level. Changes nothing.
  [[nodiscard]] Result<std::vector<std::int32_t>> prompt(std::string_view user,
                                                         const EffortLevel& effort) const;
  /// Adds a finished exchange whose answer was generated after prompt(user, effort).
  Result<void> append(std::string_view user, const EffortLevel& effort,
                      const std::vector<std::int32_t>& answer);
  /// Adds an exchange given as text. `answer` may hold thinking up to its closing tag when
  /// `opens_thinking`.
  Result<void> append_text(std::string_view user, bool opens_thinking, std::string_view answer);

  void clear() { turns_.clear(); }
  /// Drops the last turn; false when there is none.
  bool undo();
  [[nodiscard]] const std::vector<Turn>& turns() const noexcept { return turns_; }
  /// Tokens of all turns, without the head.
  [[nodiscard]] std::size_t turn_tokens() const noexcept;
  [[nodiscard]] const std::string& system() const noexcept { return system_; }
  void set_system(std::string system) { system_ = std::move(system); }

 private:
  Conversation(Tokenizer tokenizer, const ModelProfile& profile, std::string system);
  [[nodiscard]] Result<std::vector<std::int32_t>> head(const EffortLevel& effort) const;
  [[nodiscard]] Result<std::vector<std::int32_t>> opening(std::string_view user,
                                                          bool thinking) const;

  Tokenizer tokenizer_;
  const ModelProfile* profile_;
  std::string system_;
  std::vector<Turn> turns_;
};

/// The text form of /save and back: exact for any bytes.
///
///   ds4-transcript 1
///   system BYTES / user BYTES / thinking-answer BYTES / answer BYTES, each followed by a line end,
///   that many bytes and a line end; users and answers alternate.
[[nodiscard]] std::string transcript_text(const Conversation& conversation);
/// Replaces system text and turns. Errors: invalid_argument, naming the line; nothing has changed.
Result<void> load_transcript(std::string_view text, Conversation& conversation);

}  // namespace ds4::run
