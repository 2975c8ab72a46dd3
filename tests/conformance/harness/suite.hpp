#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/harness/case.hpp"

namespace ds4::conformance {

/// All cases of one op, summed up.
struct OpReport {
  std::string op;
  std::size_t cases = 0;
  std::size_t composed = 0;  ///< the backend does not have the op for these
  double worst_ratio = 0;
  double worst_error = 0;
  double worst_limit = 0;
  std::uint64_t values = 0;
  std::uint64_t flips = 0;
  bool is_int8 = false;  ///< limits have the rounding of activations to int8
  std::uint64_t int8_values = 0;
  double int8_flips = 0;
  double int8_squares = 0;
  double tolerance_scale = 1;
  std::vector<std::string> failures;  ///< one line each: case label and what differed

  [[nodiscard]] bool ok() const;
  /// Root mean square of error / estimate over values of int8 cases; 0 where there are too few.
  [[nodiscard]] double int8_deviation() const;
  /// Whether codes flip more often, or int8 cases are further off, than chance allows.
  [[nodiscard]] bool flips_too_often() const;
  [[nodiscard]] bool deviates() const;
  [[nodiscard]] std::string_view state() const;
};

/// How many cases there are.
enum class Grid {
  quick,  ///< the usual sizes of each op
  full,   ///< more rows and kinds of values, and each case again with two drawn sets of sizes
  model   ///< the sizes and types of Flash
};

/// What a run looks at.
struct SuiteOptions {
  std::uint64_t seed = 1;
  std::string only_case;  ///< run cases whose label contains this
  Aspect aspect = Aspect::all;
  Grid grid = Grid::quick;
  Backend* reference = nullptr;              ///< what results are compared with, or null
  std::optional<std::uint32_t> only_number;  ///< run this case alone
  std::uint32_t most_cases = 0;              ///< kinds of rows, those that tell most; 0: all
  std::uint32_t repeats = 20;
  double tolerance_scale = 1;
  /// Cases with sizes and rows drawn from the seed, instead of the grid; 0: the grid.
  std::uint32_t fuzz = 0;
  /// Sizes of a drawn case: most rows, then what Case::extent() is to give.
  std::vector<std::uint32_t> shape;
  /// Row counts of the model grid; empty: the usual ones.
  std::vector<std::uint32_t> model_rows;
};

/// One case that ran.
struct CaseRecord {
  std::uint32_t number = 0;  ///< counts through the op's cases; of a drawn case, its index
  std::string label;
  std::uint32_t dtype = 0;
  Outcome outcome;
  std::vector<std::uint32_t> shape;  ///< as SuiteOptions::shape
};

/// All cases that were not skipped, summed up.
[[nodiscard]] OpReport summed(std::string op, std::span<const CaseRecord> records,
                              double tolerance_scale = 1);

/// Runs the cases of one op on one backend.
class Suite {
 public:
  using Body = std::function<void(Case&)>;

  Suite(Backend& backend, std::string_view op, SuiteOptions options);

  [[nodiscard]] Backend& backend() noexcept { return backend_; }
  /// The rows that an op is tried with: all of the grid's, and a few that differ most.
  [[nodiscard]] std::vector<RowCase> rows();
  [[nodiscard]] std::vector<RowCase> short_rows();
  /// Whether sizes are a model's: cases then leave out what no model has.
  [[nodiscard]] bool is_model() const noexcept { return options_.grid == Grid::model; }
  /// Runs one case; its label is "<label>, <rows.label>".
  void run(const std::string& label, const RowCase& rows, const Body& body);
  /// Everything that the options ask for.
  void run_all(void (*cases)(Suite& suite));

  [[nodiscard]] OpReport report() const { return summed(op_, records_, options_.tolerance_scale); }
  [[nodiscard]] const std::vector<CaseRecord>& records() const noexcept { return records_; }

 private:
  [[nodiscard]] std::vector<RowCase> drawn(std::size_t count, std::string_view of) const;
  void run_one(const std::string& label, const RowCase& rows, const Body& body, bool draws);
  void draw(void (*cases)(Suite& suite));
  void shrink(void (*cases)(Suite& suite), CaseRecord& record);
  CaseRecord run_drawn(void (*cases)(Suite& suite), std::uint32_t index,
                       const std::vector<std::uint32_t>& shape);

  Backend& backend_;
  std::string op_;
  SuiteOptions options_;
  std::vector<CaseRecord> records_;
  std::uint32_t case_count_ = 0;
  std::uint32_t next_ = 0;          // number of the next case
  bool counts_only_ = false;        // bodies do not run
  bool is_drawn_ = false;           // rows and sizes are drawn
  std::uint32_t drawn_index_ = 0;   // which one
  std::uint32_t drawn_number_ = 0;  // the case that it is made from
  std::vector<std::uint32_t> shape_;
};

/// The cases of one op.
struct OpCases {
  std::string_view op;
  void (*run)(Suite& suite);
  bool has_model_sizes = false;  ///< whether the model grid has it
  /// Rows of a step of that grid at most: what 4 GiB, and some minutes of the reference, allow.
  std::uint32_t most_model_rows = 4096;
};

/// Row counts of the model grid as an op's cases take them: none above its most, each once.
[[nodiscard]] std::vector<std::uint32_t> model_rows_of(const OpCases& cases,
                                                       const std::vector<std::uint32_t>& wanted);

/// Every fused op's cases, by op id, then those of required ops.
[[nodiscard]] std::span<const OpCases> all_cases() noexcept;

/// One line per op: cases, worst error with its limit, flipped codes, state; then the failures.
void print_table(std::ostream& out, std::span<const OpReport> reports);

}  // namespace ds4::conformance
