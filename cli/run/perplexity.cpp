#include "run/perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/progress.hpp"
#include "engine/sampler/logprobs.hpp"

namespace ds4::run {
namespace {

constexpr std::uint64_t kProgressEvery = 256;

Result<double> nll_of(std::span<const float> logits, std::int32_t token) {
  TokenLogprob chosen{token, 0};
  DS4_TRY([[maybe_unused]] const std::size_t none, top_logprobs(logits, chosen, {}));
  return -chosen.logprob;
}

}  // namespace

void PerplexitySum::add(double nll) noexcept {
  ++scored_;
  nll_ += nll;
  squares_ += nll * nll;
}

double PerplexitySum::mean() const noexcept {
  return scored_ == 0 ? 0 : nll_ / static_cast<double>(scored_);
}

double PerplexitySum::perplexity() const noexcept {
  return std::exp(mean());
}

double PerplexitySum::error() const noexcept {
  if (scored_ < 2) return 0;
  const double variance = squares_ / static_cast<double>(scored_) - mean() * mean();
  return perplexity() * std::sqrt(std::max(variance, 0.0) / static_cast<double>(scored_ - 1));
}

Result<PerplexitySum> perplexity(TokenModel& model, std::span<const std::int32_t> tokens,
                                 std::uint32_t max_scored,
                                 const std::function<void(std::uint64_t)>& progress,
                                 const std::function<bool()>& cancelled) {
  if (tokens.size() <= kUnscoredTokens || model.context() <= kUnscoredTokens) {
    return fail(Errc::invalid_argument, "perplexity needs more than ", kUnscoredTokens,
                " tokens of text and of context; the text has ", tokens.size(), ", the context ",
                model.context());
  }
  DS4_TRY(const SyncReport prefilled, model.prefill(tokens.first(kUnscoredTokens), {}, cancelled));
  const std::size_t count = std::min({tokens.size() - kUnscoredTokens, std::size_t{max_scored},
                                      std::size_t{model.context() - kUnscoredTokens}});
  PerplexitySum sum;
  std::span<const float> logits = prefilled.logits;
  for (std::size_t i = 0; i < count; ++i) {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "interrupted");
    const std::int32_t token = tokens[kUnscoredTokens + i];
    DS4_TRY(const double nll, nll_of(logits, token));
    sum.add(nll);
    if (progress && sum.scored() % kProgressEvery == 0) progress(sum.scored());
    if (i + 1 == count) break;
    DS4_TRY(logits, model.evaluate(token));
  }
  return sum;
}

std::string perplexity_line(std::uint64_t tokens, const PerplexitySum& sum) {
  constexpr int kDecimals = 9;
  return "tokens=" + std::to_string(tokens) + " scored=" + std::to_string(sum.scored()) +
         " nll=" + cli::decimals(sum.nll(), kDecimals) +
         " avg_nll=" + cli::decimals(sum.mean(), kDecimals) +
         " ppl=" + cli::decimals(sum.perplexity(), kDecimals);
}

Result<PerplexitySum> windowed_perplexity(
    std::span<const std::int32_t> tokens, std::uint32_t size, std::int32_t bos,
    const WindowLogits& evaluate, const std::function<void(const PerplexitySum&)>& on_window,
    const std::function<bool()>& cancelled) {
  if (tokens.size() < size) {
    return fail(Errc::invalid_argument, "the text has ", tokens.size(), " tokens, a window takes ",
                size);
  }
  PerplexitySum sum;
  for (std::size_t at = 0; at + size <= tokens.size(); at += size) {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "interrupted");
    std::vector<std::int32_t> window(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                                     tokens.begin() + static_cast<std::ptrdiff_t>(at + size));
    if (bos >= 0) window.front() = bos;
    Result<void> scored;
    DS4_CHECK(evaluate(window, size / 2, [&](std::size_t row, std::span<const float> logits) {
      if (!scored || row + 1 >= size) return;
      const auto nll = nll_of(logits, window[row + 1]);
      if (nll) {
        sum.add(*nll);
      } else {
        scored = nll.error();
      }
    }));
    DS4_CHECK(scored);
    if (on_window) on_window(sum);
  }
  return sum;
}

}  // namespace ds4::run
