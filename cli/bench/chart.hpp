#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "bench/rows.hpp"

namespace ds4::bench {

/// The ceiling of an axis for values up to `most`: 5 % above, rounded up to 1, 2, 2.5, 3, 4, 5 or
/// 10 times a power of ten.
[[nodiscard]] double axis_end(double most);
/// The distance of ticks: 1, 2, 2.5, 5 or 10 times a power of ten, so that about `count` fit.
[[nodiscard]] double tick_step(double end, int count);

/// An SVG of prefill (left axis, blue) and decode speed (right axis, red) by context. Of a second
/// set of rows the lines are dashed.
/// Errors: invalid_argument for fewer than two contexts.
Result<std::string> draw_chart(const std::vector<BenchRow>& rows,
                               const std::vector<BenchRow>& second, const std::string& title);

/// "dir/name_ts.svg" for "dir/name.csv".
[[nodiscard]] std::string chart_name(const std::string& csv);

}  // namespace ds4::bench
