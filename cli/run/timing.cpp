#include "run/timing.hpp"

#include "common/progress.hpp"

namespace ds4::run {
namespace {

double rate(std::size_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

}  // namespace

std::string timing_lines(const Generated& result) {
  using cli::decimals;
  std::string out =
      "ds4: prefill: " + decimals(rate(result.evaluated, result.prefill_seconds), 2) +
      " t/s, generation: " + decimals(rate(result.tokens.size(), result.generate_seconds), 2) +
      " t/s\n";
  out += "ds4: " + std::to_string(result.prompt_tokens) + " prompt tokens (" +
         std::to_string(result.cached) + " cached) in " + decimals(result.prefill_seconds, 2) +
         " s, " + std::to_string(result.tokens.size()) + " generated in " +
         decimals(result.generate_seconds, 2) + " s\n";
  return out;
}

}  // namespace ds4::run
