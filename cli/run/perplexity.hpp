#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "run/token_model.hpp"

namespace ds4::run {

/// A sum of negative log likelihoods.
class PerplexitySum {
 public:
  void add(double nll) noexcept;
  [[nodiscard]] std::uint64_t scored() const noexcept { return scored_; }
  [[nodiscard]] double nll() const noexcept { return nll_; }
  [[nodiscard]] double mean() const noexcept;
  /// exp(mean).
  [[nodiscard]] double perplexity() const noexcept;
  /// Standard error of the perplexity: PPL * sqrt((mean nll^2 - (mean nll)^2) / (count - 1)).
  [[nodiscard]] double error() const noexcept;

 private:
  std::uint64_t scored_ = 0;
  double nll_ = 0;
  double squares_ = 0;
};

/// Tokens at the start that are evaluated and not scored.
inline constexpr std::uint32_t kUnscoredTokens = 32;

/// --perplexity-file: the tokens after the first 32, one by one, at most `max_scored` and what the
/// context holds. `progress` is called with the count scored so far, every 256.
/// Errors: invalid_argument for a text of 32 tokens or fewer; those of the model.
Result<PerplexitySum> perplexity(TokenModel& model, std::span<const std::int32_t> tokens,
                                 std::uint32_t max_scored,
                                 const std::function<void(std::uint64_t)>& progress,
                                 const std::function<bool()>& cancelled);

/// "tokens=T scored=S nll=... avg_nll=... ppl=..." with 9 decimals.
[[nodiscard]] std::string perplexity_line(std::uint64_t tokens, const PerplexitySum& sum);

/// Evaluates a window afresh and gives the logits of rows [first, window size) to `take`.
using WindowLogits = std::function<Result<void>(
    std::span<const std::int32_t> window, std::size_t first,
    const std::function<void(std::size_t row, std::span<const float>)>& take)>;

/// --ppl-chunks: windows of `size` tokens; the first slot of each is `bos` (unless negative), and
/// rows size/2 .. size-2 are scored on the token after them. `on_window` sees the running sum.
/// Errors: invalid_argument for a text shorter than a window.
Result<PerplexitySum> windowed_perplexity(
    std::span<const std::int32_t> tokens, std::uint32_t size, std::int32_t bos,
    const WindowLogits& evaluate, const std::function<void(const PerplexitySum&)>& on_window,
    const std::function<bool()>& cancelled);

}  // namespace ds4::run
