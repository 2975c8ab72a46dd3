#pragma once

#include <string>
#include <vector>

#include "bench/rows.hpp"

namespace ds4::bench {

/// A table of the contexts that both have, medians of runs: speeds of both and second : first.
/// Errors: invalid_argument when they have no context in common.
Result<std::string> comparison(const std::vector<BenchRow>& first,
                               const std::vector<BenchRow>& second, const std::string& first_name,
                               const std::string& second_name);

/// A ratio to the roofline that is lower than it was.
struct Loss {
  std::uint32_t ctx_tokens = 0;
  const char* what = "";  ///< "decode" or "prefill"
  double before = 0;
  double now = 0;
};

/// Ratios to the roofline that lie more than `share` below those of `baseline`, context by context.
/// Speeds themselves are not compared: the memory of shared machines is not always as fast.
/// Errors: invalid_argument when there is no context whose ratios both know.
Result<std::vector<Loss>> losses(const std::vector<BenchRow>& baseline,
                                 const std::vector<BenchRow>& now, double share);

/// The losses that are in both lists.
[[nodiscard]] std::vector<Loss> repeated(const std::vector<Loss>& first,
                                         const std::vector<Loss>& second);

inline constexpr double kGateShare = 0.10;
inline constexpr int kGateSweeps = 3;

}  // namespace ds4::bench
