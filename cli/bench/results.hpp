#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/facts.hpp"
#include "bench/logits.hpp"
#include "bench/row_file.hpp"
#include "bench/rows.hpp"
#include "common/console.hpp"

namespace ds4::bench {

/// Where the rows of a sweep go as they come: CSV, a line each, at once, so that a sweep that is
/// stopped leaves what it measured. JSON and chart follow at the end.
class Results {
 public:
  /// Opens every file that the options name. Errors: io.
  static Result<Results> open(const BenchOptions& options, const cli::Console& console);

  /// Begins the CSV, with the facts of the run beside its file; of several runs the first counts.
  /// Errors: io.
  Result<void> describe(const RunFacts& facts);
  /// Errors: io.
  Result<void> add(const BenchRow& row);
  /// Only where wants_logits(). Errors: io.
  Result<void> add(FrontierLogits logits);
  [[nodiscard]] bool wants_logits() const noexcept { return logits_.is_open(); }
  /// JSON and chart. Errors: io, those of draw_chart().
  Result<void> finish();

  [[nodiscard]] const std::vector<BenchRow>& rows() const noexcept { return rows_; }
  [[nodiscard]] const std::vector<FrontierLogits>& logits() const noexcept {
    return frontier_logits_;
  }

 private:
  Results(const BenchOptions& options, const cli::Console& console)
      : options_(&options), console_(&console) {}
  Result<void> write_csv(std::string_view text);

  const BenchOptions* options_;
  const cli::Console* console_;
  RowFile csv_;  ///< none: standard output
  RowFile logits_;
  std::optional<RunFacts> facts_;
  std::vector<BenchRow> rows_;
  std::vector<FrontierLogits> frontier_logits_;
};

}  // namespace ds4::bench
