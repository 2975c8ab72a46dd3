#include "tests/conformance/harness/suite.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <utility>

#include "tests/conformance/tolerances.hpp"

namespace ds4::conformance {
namespace {

constexpr std::uint32_t kMostDrawnRows = 40;

/// Rows that tell most: counted by the step, lying apart, in a tile, alone, behind others, many.
constexpr std::array<std::string_view, 6> kTelling{"3 + 5 rows of 10",   "8 rows that lie apart",
                                                   "a tile with 2 rows", "5 rows",
                                                   "the 5 prefill rows", "17 rows"};

}  // namespace

bool OpReport::flips_too_often() const {
  // One flip is legal in any number of values: a share cannot be told from a handful.
  // Those of int8 activations are a mean, of which chance takes twice the amount at no time.
  const double share = kFlipShare * static_cast<double>(values) + 2 * tolerance_scale * int8_flips;
  return static_cast<double>(flips) > std::max(1.0, share);
}

double OpReport::int8_deviation() const {
  if (int8_values < kInt8LeastValues) return 0;
  return std::sqrt(int8_squares / static_cast<double>(int8_values));
}

bool OpReport::deviates() const {
  return int8_deviation() > kInt8Deviation * tolerance_scale;
}

bool OpReport::ok() const {
  return failures.empty() && cases != 0 && !flips_too_often() && !deviates();
}

std::string_view OpReport::state() const {
  if (!ok()) return deviates() ? "FAIL (int8 deviation)" : "FAIL";
  if (composed == cases) return "composed";
  return is_int8 ? "ok, int8" : "ok";
}

OpReport summed(std::string op, std::span<const CaseRecord> records, double tolerance_scale) {
  OpReport report;
  report.tolerance_scale = tolerance_scale;
  report.op = std::move(op);
  for (const CaseRecord& record : records) {
    const Outcome& outcome = record.outcome;
    if (outcome.skipped) continue;
    ++report.cases;
    if (outcome.composed) ++report.composed;
    if (outcome.failure) report.failures.push_back(record.label + ": " + outcome.failure->what);
    report.values += outcome.values;
    report.flips += outcome.flips;
    report.is_int8 = report.is_int8 || outcome.is_int8;
    report.int8_values += outcome.int8_values;
    report.int8_flips += outcome.int8_flips;
    report.int8_squares += outcome.int8_squares;
    if (outcome.worst_ratio > report.worst_ratio) {
      report.worst_ratio = outcome.worst_ratio;
      report.worst_error = outcome.worst_error;
      report.worst_limit = outcome.worst_limit;
    }
  }
  return report;
}

std::vector<std::uint32_t> model_rows_of(const OpCases& cases,
                                         const std::vector<std::uint32_t>& wanted) {
  std::vector<std::uint32_t> result;
  for (const std::uint32_t rows : wanted) {
    const std::uint32_t taken = std::min(rows, cases.most_model_rows);
    if (std::find(result.begin(), result.end(), taken) == result.end()) result.push_back(taken);
  }
  return result;
}

Suite::Suite(Backend& backend, std::string_view op, SuiteOptions options)
    : backend_(backend), op_(op), options_(std::move(options)) {}

std::vector<RowCase> Suite::drawn(std::size_t count, std::string_view of) const {
  Random random(options_.seed,
                op_ + "/rows/" + std::string(of) + "/" + std::to_string(drawn_index_));
  const std::uint32_t most = shape_.empty() ? kMostDrawnRows : shape_[0];
  std::vector<RowCase> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(random_rows(random, most));
  return result;
}

std::vector<RowCase> Suite::rows() {
  if (is_model()) return model_row_grid(options_.model_rows);
  std::vector<RowCase> grid = options_.grid == Grid::full ? wide_row_grid() : row_grid();
  return is_drawn_ || counts_only_ ? drawn(grid.size(), "all") : grid;
}

std::vector<RowCase> Suite::short_rows() {
  if (is_model()) return model_row_grid(options_.model_rows);
  std::vector<RowCase> grid = short_row_grid();
  return is_drawn_ || counts_only_ ? drawn(grid.size(), "few") : grid;
}

void Suite::run(const std::string& label, const RowCase& rows, const Body& body) {
  if (!is_drawn_ && !counts_only_ && options_.grid == Grid::full) {
    run_one(label, rows, body, false);
    for (const char* variant : {", sizes A", ", sizes B"}) {
      run_one(label + variant, rows, body, true);
    }
    return;
  }
  run_one(label, rows, body, is_drawn_);
}

void Suite::run_one(const std::string& label, const RowCase& rows, const Body& body, bool draws) {
  const std::uint32_t number = next_++;
  if (counts_only_) return;
  if (is_drawn_ ? number != drawn_number_ : options_.only_number.value_or(number) != number) return;
  const std::string full = label + ", " + rows.label;
  if (full.find(options_.only_case) == std::string::npos) return;

  if (options_.most_cases != 0 && !options_.only_number && !is_drawn_ && !is_model()) {
    const auto end = kTelling.begin() + std::min<std::size_t>(options_.most_cases, kTelling.size());
    if (std::find(kTelling.begin(), end, rows.label) == end) return;
  }

  CaseOptions options;
  options.aspect = options_.aspect;
  options.repeats = options_.repeats;
  options.tolerance_scale = options_.tolerance_scale;
  options.draws_extents = draws;
  options.is_model = is_model();
  if (shape_.size() > 1) options.extents.assign(shape_.begin() + 1, shape_.end());
  std::string name = op_ + "/" + full;
  if (is_drawn_) name.append("/").append(std::to_string(drawn_index_));
  Outputs reference;
  if (options_.reference != nullptr && options_.aspect == Aspect::result) {
    CaseOptions recording = options;
    recording.record = &reference;
    Case on_reference(*options_.reference, options_.seed, name, rows, recording);
    body(on_reference);
    if (!on_reference.outcome().failure) options.reference = &reference;
  }
  Case test(backend_, options_.seed, name, rows, std::move(options));
  body(test);
  CaseRecord record;
  record.number = is_drawn_ ? drawn_index_ : number;
  record.label = full;
  record.dtype = test.dtype();
  record.outcome = test.outcome();
  if (draws) {
    record.shape.push_back(shape_.empty() ? kMostDrawnRows : shape_[0]);
    record.shape.insert(record.shape.end(), test.extents().begin(), test.extents().end());
  }
  records_.push_back(std::move(record));
}

void Suite::run_all(void (*cases)(Suite& suite)) {
  next_ = 0;
  if (options_.fuzz != 0) {
    draw(cases);
  } else {
    cases(*this);
  }
}

void Suite::draw(void (*cases)(Suite& suite)) {
  counts_only_ = true;
  cases(*this);
  counts_only_ = false;
  case_count_ = next_;
  if (case_count_ == 0) return;
  const std::uint32_t first = options_.only_number.value_or(0);
  const std::uint32_t end = options_.only_number ? first + 1 : options_.fuzz;
  for (std::uint32_t i = first; i < end; ++i) {
    CaseRecord record = run_drawn(cases, i, options_.shape);
    if (record.outcome.failure && options_.shape.empty()) shrink(cases, record);
    records_.push_back(std::move(record));
  }
}

CaseRecord Suite::run_drawn(void (*cases)(Suite& suite), std::uint32_t index,
                            const std::vector<std::uint32_t>& shape) {
  Random random(options_.seed, op_ + "/case/" + std::to_string(index));
  drawn_index_ = index;
  drawn_number_ = random.below(case_count_);
  shape_ = shape;
  is_drawn_ = true;
  next_ = 0;
  std::vector<CaseRecord> kept = std::exchange(records_, {});
  cases(*this);
  CaseRecord result = records_.empty() ? CaseRecord{} : std::move(records_.front());
  records_ = std::move(kept);
  is_drawn_ = false;
  shape_.clear();
  result.number = index;
  return result;
}

/// Halves one size after the other for as long as the case still fails.
void Suite::shrink(void (*cases)(Suite& suite), CaseRecord& record) {
  bool has_shrunk = true;
  for (int rounds = 0; has_shrunk && rounds < 12; ++rounds) {
    has_shrunk = false;
    for (std::size_t k = 0; k < record.shape.size(); ++k) {
      std::vector<std::uint32_t> smaller = record.shape;
      if (smaller[k] < 2) continue;
      smaller[k] /= 2;
      CaseRecord again = run_drawn(cases, record.number, smaller);
      if (!again.outcome.failure || again.shape == record.shape) continue;
      record = std::move(again);
      has_shrunk = true;
    }
  }
}

void print_table(std::ostream& out, std::span<const OpReport> reports) {
  out << std::left << std::setw(21) << "OP" << std::right << std::setw(6) << "CASES"
      << std::setw(11) << "WORST-ERR" << std::setw(11) << "LIMIT" << std::setw(14) << "FLIPS"
      << "  STATE\n";
  for (const OpReport& report : reports) {
    out << std::left << std::setw(21) << report.op << std::right << std::setw(6) << report.cases
        << std::scientific << std::setprecision(1);
    if (report.worst_ratio > 0) {
      out << std::setw(11) << report.worst_error << std::setw(11) << report.worst_limit;
    } else {
      out << std::setw(11) << 0.0 << std::setw(11) << "-";
    }
    const std::string flips =
        report.values == 0 ? "-"
                           : std::to_string(report.flips) + "/" + std::to_string(report.values);
    out << std::setw(14) << flips << "  " << report.state() << '\n';
  }
  constexpr std::size_t kShown = 8;
  for (const OpReport& report : reports) {
    for (std::size_t i = 0; i < report.failures.size() && i < kShown; ++i) {
      out << report.op << ": " << report.failures[i] << '\n';
    }
    if (report.failures.size() > kShown) {
      out << report.op << ": " << report.failures.size() - kShown << " more failures\n";
    }
  }
}

}  // namespace ds4::conformance
