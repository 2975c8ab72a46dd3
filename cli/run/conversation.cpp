#include "run/conversation.hpp"

#include <utility>

namespace ds4::run {
namespace {

void append_ids(std::vector<std::int32_t>& to, const std::vector<std::int32_t>& ids) {
  to.insert(to.end(), ids.begin(), ids.end());
}

}  // namespace

Conversation::Conversation(Tokenizer tokenizer, const ModelProfile& profile, std::string system)
    : tokenizer_(std::move(tokenizer)), profile_(&profile), system_(std::move(system)) {}

Result<Conversation> Conversation::make(Tokenizer tokenizer, const ModelProfile& profile,
                                        std::string system) {
  const SpecialIds& ids = tokenizer.vocabulary().special();
  for (const std::int32_t id :
       {ids.bos, ids.eos, ids.user, ids.assistant, ids.think_open, ids.think_close}) {
    if (id < 0) {
      return fail(Errc::unsupported,
                  "the vocabulary of this model has no chat tokens; use --raw-prompt");
    }
  }
  return Conversation(std::move(tokenizer), profile, std::move(system));
}

Result<std::vector<std::int32_t>> Conversation::head(const EffortLevel& effort) const {
  SegmentBuilder builder;
  builder.control(profile_->markers.bos);
  if (const std::string text = std::string(effort.prefix) + system_; !text.empty()) {
    builder.text(text);
  }
  return tokenizer_.encode_segments(std::move(builder).take());
}

Result<std::vector<std::int32_t>> Conversation::opening(std::string_view user,
                                                        bool thinking) const {
  SegmentBuilder builder;
  builder.control(profile_->markers.user);
  if (!user.empty()) builder.text(user);
  builder.control(profile_->markers.assistant);
  builder.control(thinking ? profile_->markers.think_open : profile_->markers.think_close);
  return tokenizer_.encode_segments(std::move(builder).take());
}

Result<std::vector<std::int32_t>> Conversation::prompt(std::string_view user,
                                                       const EffortLevel& effort) const {
  DS4_TRY(std::vector<std::int32_t> tokens, head(effort));
  for (const Turn& turn : turns_) append_ids(tokens, turn.tokens);
  DS4_TRY(const std::vector<std::int32_t> open, opening(user, effort.thinking));
  append_ids(tokens, open);
  return tokens;
}

Result<void> Conversation::append(std::string_view user, const EffortLevel& effort,
                                  const std::vector<std::int32_t>& answer) {
  Turn turn{std::string(user), effort.thinking, tokenizer_.decode(answer), {}};
  DS4_TRY(turn.tokens, opening(user, effort.thinking));
  append_ids(turn.tokens, answer);
  turn.tokens.push_back(tokenizer_.vocabulary().special().eos);
  turns_.push_back(std::move(turn));
  return {};
}

Result<void> Conversation::append_text(std::string_view user, bool opens_thinking,
                                       std::string_view answer) {
  Turn turn{std::string(user), opens_thinking, std::string(answer), {}};
  DS4_TRY(turn.tokens, opening(user, opens_thinking));
  SegmentBuilder builder;
  const std::string_view close = profile_->markers.think_close;
  if (const std::size_t at = answer.find(close); opens_thinking && at != std::string_view::npos) {
    if (at > 0) builder.text(answer.substr(0, at));
    builder.control(close);
    answer.remove_prefix(at + close.size());
  }
  if (!answer.empty()) builder.text(answer);
  builder.control(profile_->markers.eos);
  DS4_TRY(const std::vector<std::int32_t> ids,
          tokenizer_.encode_segments(std::move(builder).take()));
  append_ids(turn.tokens, ids);
  turns_.push_back(std::move(turn));
  return {};
}

bool Conversation::undo() {
  if (turns_.empty()) return false;
  turns_.pop_back();
  return true;
}

std::size_t Conversation::turn_tokens() const noexcept {
  std::size_t count = 0;
  for (const Turn& turn : turns_) count += turn.tokens.size();
  return count;
}

}  // namespace ds4::run
