#include "bench/results.hpp"

#include <utility>

#include "bench/chart.hpp"
#include "bench/option_values.hpp"
#include "common/output_file.hpp"

namespace ds4::bench {

Result<Results> Results::open(const BenchOptions& options, const cli::Console& console) {
  // Asked for before the long work; each is written whole at the end.
  for (const std::string* path : {&options.json, &options.svg}) {
    if (path->empty()) continue;
    DS4_TRY([[maybe_unused]] const cli::OutputFile can, cli::OutputFile::open(*path));
  }
  Results results(options, console);
  // What they hold stays until there is a run to put in its place.
  if (!options.csv.empty()) {
    DS4_TRY(results.csv_, RowFile::open(options.csv));
  }
  if (!options.logits.empty()) {
    DS4_TRY(results.logits_, RowFile::open(options.logits));
  }
  return results;
}

Result<void> Results::write_csv(std::string_view text) {
  if (csv_.is_open()) return csv_.add(text);
  if (console_->write(text)) return {};
  return fail(Errc::io, "standard output does not take the results");
}

Result<void> Results::describe(const RunFacts& facts) {
  if (facts_) return {};
  facts_ = facts;
  if (logits_.is_open()) DS4_CHECK(logits_.begin(logits_header()));
  if (!csv_.is_open()) return write_csv(csv_header());
  DS4_CHECK(csv_.begin(csv_header()));
  if (!csv_.is_regular()) return {};  // nothing lies beside a device or a pipe
  return cli::write_output(facts_path(options_->csv), facts_json(*facts_));
}

Result<void> Results::add(const BenchRow& row) {
  rows_.push_back(row);
  return write_csv(csv_line(row));
}

Result<void> Results::add(FrontierLogits logits) {
  const auto added = logits_.add(logits_line(logits));
  frontier_logits_.push_back(std::move(logits));
  return added;
}

Result<void> Results::finish() {
  if (!options_->json.empty() && facts_) {
    DS4_CHECK(cli::write_output(options_->json, results_json(*facts_, rows_)));
  }
  if (options_->svg.empty()) return {};
  const std::string title = options_->title.empty() && facts_
                                ? facts_->model + " on " + facts_->backend
                                : options_->title;
  DS4_TRY(const std::string chart, draw_chart(medians(rows_), {}, title));
  return cli::write_output(options_->svg, chart);
}

}  // namespace ds4::bench
