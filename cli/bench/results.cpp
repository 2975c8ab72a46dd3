#include "bench/results.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/new_file.hpp"
#include "bench/chart.hpp"
#include "common/output_file.hpp"

namespace ds4::bench {
namespace {

Result<void> write_whole(const std::string& path, std::string_view text) {
  DS4_TRY(cli::OutputFile file, cli::OutputFile::open(path));
  return file.commit(text);
}

}  // namespace

Result<Results> Results::open(const BenchOptions& options, const cli::Console& console) {
  // Asked for before the long work; each is written whole at the end.
  for (const std::string* path : {&options.json, &options.svg}) {
    if (path->empty()) continue;
    DS4_TRY([[maybe_unused]] const cli::OutputFile can, cli::OutputFile::open(*path));
  }
  Results results(options, console);
  if (!options.csv.empty()) {
    // What it holds stays until there is a run to put in its place.
    results.csv_ = ::open(options.csv.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (results.csv_ < 0) {
      return fail(Errc::io, options.csv, ": cannot be written: ", std::strerror(errno));
    }
  }
  return results;
}

Results::Results(Results&& other) noexcept
    : options_(other.options_),
      console_(other.console_),
      csv_(std::exchange(other.csv_, -1)),
      facts_(std::move(other.facts_)),
      rows_(std::move(other.rows_)) {}

Results::~Results() {
  if (csv_ >= 0) ::close(csv_);
}

Result<void> Results::write_csv(std::string_view text) {
  if (csv_ < 0) {
    if (console_->write(text)) return {};
    return fail(Errc::io, "standard output does not take the results");
  }
  if (write_all(csv_, std::as_bytes(std::span(text)))) return {};
  return fail(Errc::io, options_->csv, ": cannot be written: ", std::strerror(errno));
}

Result<void> Results::describe(const RunFacts& facts) {
  if (facts_) return {};
  facts_ = facts;
  struct stat kind {};
  const bool is_file = csv_ >= 0 && ::fstat(csv_, &kind) == 0 && S_ISREG(kind.st_mode);
  if (is_file && ::ftruncate(csv_, 0) != 0) {
    return fail(Errc::io, options_->csv, ": cannot be written: ", std::strerror(errno));
  }
  DS4_CHECK(write_csv(csv_header()));
  if (!is_file) return {};  // nothing lies beside a device or a pipe
  return write_whole(options_->csv + ".meta.json", facts_json(*facts_));
}

Result<void> Results::add(const BenchRow& row) {
  rows_.push_back(row);
  return write_csv(csv_line(row));
}

Result<void> Results::finish() {
  if (!options_->json.empty() && facts_) {
    DS4_CHECK(write_whole(options_->json, results_json(*facts_, rows_)));
  }
  if (options_->svg.empty()) return {};
  const std::string title = options_->title.empty() && facts_
                                ? facts_->model + " on " + facts_->backend
                                : options_->title;
  DS4_TRY(const std::string chart, draw_chart(medians(rows_), {}, title));
  return write_whole(options_->svg, chart);
}

}  // namespace ds4::bench
