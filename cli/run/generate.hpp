#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/sampler/sampler.hpp"
#include "run/token_model.hpp"

namespace ds4::run {

enum class Finish {
  stop,         ///< the model ended its answer
  length,       ///< the most tokens that were wanted
  context,      ///< the context is full
  interrupted,  ///< Ctrl+C
};
[[nodiscard]] const char* finish_name(Finish finish) noexcept;

struct Generated {
  std::vector<std::int32_t> tokens;  ///< without the end of sequence
  Finish finish = Finish::stop;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached = 0;     ///< prompt tokens that were there already
  std::uint32_t evaluated = 0;  ///< prompt tokens that were evaluated
  double prefill_seconds = 0;
  double generate_seconds = 0;
};

/// A token that was chosen; `logits` are those it was chosen from.
struct ChosenToken {
  std::int32_t id = 0;
  bool is_end = false;  ///< the end of sequence
  std::span<const float> logits;
  double seconds = 0;  ///< since the token before it, or the end of the prompt
};

struct GenerationRequest {
  std::span<const std::int32_t> prompt;
  std::uint32_t max_tokens = 0;
  std::int32_t end_token = -1;
  RequestSampling* sampling = nullptr;
  Sampler* sampler = nullptr;
  PrefillProgress on_prefill;
  /// False stops the generation, as an interrupt does.
  std::function<bool(const ChosenToken&)> on_token;
  std::function<bool()> cancelled;
};

/// Prompt -> answer. Ends at the end token (by its id), after max_tokens, when one free slot of the
/// context is left, or when cancelled; a cancelled prefill is an answer without tokens.
/// Errors: invalid_argument (a prompt beyond the context), those of the model.
Result<Generated> generate(TokenModel& model, const GenerationRequest& request);

}  // namespace ds4::run
