#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/views.hpp"
#include "tests/conformance/harness/backend.hpp"
#include "tests/conformance/harness/random.hpp"
#include "tests/conformance/harness/repeated.hpp"
#include "tests/conformance/harness/rows.hpp"

namespace ds4::conformance {

/// A tensor on the device with what it held before the op ran.
struct Tensor {
  ds4_view view{};
  std::uint64_t begin = 0;         ///< bytes of guard in front of the values
  std::vector<std::byte> initial;  ///< the whole buffer, guards included
  std::vector<float> values;       ///< decoded, of float and encoded inputs
  std::uint32_t width = 0;
  bool is_input = false;
  bool is_storage = false;  ///< rows count over all outer extents: rings and pools

  /// One vector of the innermost extent, counted over all outer extents.
  [[nodiscard]] std::span<const float> vector(std::size_t index) const {
    return std::span(values).subspan(index * width, width);
  }
};

/// A weight on the device with its decoded values.
struct Weight {
  ds4_weight* handle = nullptr;
  std::vector<float> values;  ///< empty where `repeated` has them
  std::uint32_t width = 0;
  std::uint32_t role = 0;
  std::uint64_t bytes = 0;  ///< of the source
  std::size_t row_count = 0;
  std::shared_ptr<const RepeatedBlocks> repeated;  ///< of a weight of a model's true size
  /// Values that share an int8 scale when the device may round what it multiplies with this weight
  /// (DS4_CAP_INT8_ACTIVATIONS); 0: it may not.
  std::uint32_t int8_block = 0;

  [[nodiscard]] std::size_t rows() const { return row_count; }
  [[nodiscard]] std::span<const float> row(std::size_t index) const {
    if (repeated) return repeated->values(std::uint64_t{index} * width, width);
    return std::span(values).subspan(index * width, width);
  }
};

/// Values in double and, for each, the root mean square error that f32 arithmetic has, in units of
/// eps_f32 (estimate.hpp).
struct Estimate {
  std::vector<double> value;
  std::vector<double> error;
};

/// How one output of a case is compared. `row` counts rows of the step (or of the pool), `column`
/// the values of the row, outer extents first.
struct Check {
  std::string_view name;           ///< as in tolerances.hpp
  const Tensor* tensor = nullptr;  ///< an output
  /// What a row must be; limit = c * eps_f32 * error. Empty: both roads agree in every bit.
  std::function<Estimate(std::size_t row)> expected = {};
  /// Distance of neighbouring codes at a value: an element beyond the limit but within one step
  /// counts as a flipped code. Empty: none may.
  std::function<double(std::size_t row, std::size_t column, double value)> code_step = {};

  /// I32 outputs: what a row must be. Empty: both roads agree.
  std::function<std::vector<std::int32_t>(std::size_t row)> ids = {};
  /// I32 outputs: whether the two ids of an element may change places. Empty: exact.
  std::function<bool(std::size_t row, std::int32_t a, std::int32_t b)> may_swap = {};
  /// Columns that have a meaning; empty: all.
  std::function<std::size_t(std::size_t row)> columns = {};
  /// Rows that are written; empty: the range. Others must keep their bits.
  std::function<bool(std::size_t row)> written = {};
};

/// What a run of a case looks at. Only `all` looks at several things.
enum class Aspect {
  all,             ///< fused op, composition, formula and memory
  result,          ///< the op against the reference backend, if there is one, and the formula
  composition,     ///< the op against its composition on the same device; fused ops only
  memory,          ///< guards, inputs, padding; no dependence on what the workspace held
  determinism,     ///< the same bits again and again
  row_invariance,  ///< the same bits row by row
  allocation,      ///< nothing is allocated in enqueue
  graph,           ///< capture and replay, with the step block changed in between
  timing,          ///< how long the op takes; nothing is compared
  errors,          ///< fields that cannot be right are refused with the right code
};

/// The outputs of a case, by check, as the backend left them.
using Outputs = std::vector<std::vector<std::byte>>;

/// How a case runs.
struct CaseOptions {
  Aspect aspect = Aspect::all;
  std::uint32_t repeats = 20;          ///< runs of determinism, replays of graph
  double tolerance_scale = 1;          ///< for investigations: not conformant when above 1
  const Outputs* reference = nullptr;  ///< what the reference backend gave
  Outputs* record = nullptr;           ///< keeps the outputs and compares nothing
  /// Sizes that Case::extent() gives, in order; missing ones are drawn when `draws`, else usual.
  std::vector<std::uint32_t> extents;
  bool draws_extents = false;
  /// Sizes are the model's. Values of a few rows are judged, those of others must have been
  /// written; ids are judged in all rows.
  bool is_model = false;
};

/// A size of a case: the usual one, that of the model (Flash), and what may be drawn.
struct Size {
  std::uint32_t usual = 1;
  std::uint32_t model = 1;
  std::uint32_t low = 1;
  std::uint32_t unit = 1;
  std::uint32_t high = 300;
};

/// What one case found.
struct Outcome {
  std::optional<Error> failure;
  bool composed = false;   ///< the backend does not have the fused op: nothing to compare
  bool skipped = false;    ///< the aspect does not apply
  double worst_ratio = 0;  ///< error / limit of the worst element
  double worst_error = 0;
  double worst_limit = 0;
  std::uint64_t values = 0;  ///< that may flip
  std::uint64_t flips = 0;
  double seconds = 0;             ///< timing: the shortest run
  double bytes = 0;               ///< timing: weights, activations and cached rows, each once
  double flops = 0;               ///< timing: multiply and add count as two
  bool is_int8 = false;           ///< a weight of the case may meet int8 activations
  std::uint64_t int8_values = 0;  ///< compared in such a case
  double int8_flips = 0;          ///< codes that such activations change by chance, at most
  double int8_squares = 0;        ///< sum of (error / estimated error)^2 of these
};

/// Builds one case: inputs, weights, outputs; then runs the fused op and its composition on the
/// same backend from the same memory and compares. A failing call is kept and ends the case.
class Case {
 public:
  Case(Backend& backend, std::uint64_t seed, std::string_view label, const RowCase& rows,
       CaseOptions options = {});
  ~Case();
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] const RowCase& rows() const noexcept { return rows_; }

  /// A size of the case: `usual`, or any multiple of `unit` from `low` to `high` when sizes are
  /// drawn. Asked for before anything that has the size.
  std::uint32_t extent(std::uint32_t usual, std::uint32_t low = 1, std::uint32_t unit = 1,
                       std::uint32_t high = 300);
  /// The same with the model's own size, where the case has those.
  std::uint32_t size(const Size& of);
  /// A size that is the width of weights of this type: whole blocks.
  std::uint32_t width(std::uint32_t dtype, std::uint32_t usual, std::uint32_t model);
  [[nodiscard]] bool is_model() const noexcept { return options_.is_model; }
  /// What extent() gave, in order.
  [[nodiscard]] const std::vector<std::uint32_t>& extents() const noexcept { return extents_; }
  /// The element type that a table names the case by: the first one that is not plain.
  [[nodiscard]] std::uint32_t dtype() const noexcept { return dtype_; }

  /// An F32 input of the case's kind of values, times `scale`.
  const Tensor& input(std::initializer_list<std::uint32_t> extents, double scale = 1);
  /// An F32 input of the given values.
  const Tensor& floats(std::initializer_list<std::uint32_t> extents, std::vector<float> values);
  /// An F32 input of a few whole numbers, so that equal values are met often.
  const Tensor& ties(std::initializer_list<std::uint32_t> extents);
  /// Rows of the given dtype with random valid codes.
  const Tensor& encoded(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                        std::uint32_t row_tail = 0);
  const Tensor& ints(std::initializer_list<std::uint32_t> extents,
                     const std::vector<std::int32_t>& values);
  /// An output of rows (a tile of them where the row case says so): every bit is set before.
  const Tensor& output(std::uint32_t dtype, std::initializer_list<std::uint32_t> inner);
  /// An output that is added to: random values, not poison.
  const Tensor& accumulator(std::initializer_list<std::uint32_t> inner);
  /// An output that is not indexed by rows, such as a ring or a pool.
  const Tensor& storage(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                        std::uint32_t row_tail = 0);

  /// A weight of normal values times `scale`, encoded as `dtype`.
  const Weight& weight(std::uint32_t dtype, std::uint32_t role,
                       std::initializer_list<std::uint32_t> extents, double scale = 1,
                       double offset = 0);
  /// An I32 table of ids below `limit`, some of them -1.
  const Weight& id_table(std::uint32_t rows, std::uint32_t columns, std::uint32_t limit);

  /// A fused descriptor with the range of the row case.
  template <class Op>
  Op op(std::uint32_t id, std::uint32_t flags = 0) {
    Op result = make_op<Op>(id);
    result.op.flags = flags;
    result.op.tag = 7U << 16 | 5U;
    result.rows = rows_.range;
    return result;
  }

  /// What timing counts besides whole matrices and activations: experts that are chosen, rows of a
  /// cache or table that are read.
  void add_work(double bytes, double flops) noexcept {
    outcome_.bytes += bytes;
    outcome_.flops += flops;
  }

  /// Runs both roads and compares the outputs; a required op is its own composition.
  void compare(const ds4_op& fused, const std::vector<Check>& checks);

  [[nodiscard]] const Outcome& outcome() const noexcept { return outcome_; }

 private:
  friend class CaseSink;
  const Tensor& halves(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents);
  Tensor& allocate(ds4_view view, const std::vector<std::byte>* content);
  const Weight& import(std::uint32_t dtype, std::uint32_t role,
                       std::initializer_list<std::uint32_t> extents,
                       const std::vector<std::byte>& bytes, std::vector<float> values);
  const Weight& import_repeated(std::uint32_t dtype, std::uint32_t role,
                                std::initializer_list<std::uint32_t> extents, double scale);
  ds4_weight_desc describe(std::uint32_t dtype, std::uint32_t role,
                           std::initializer_list<std::uint32_t> extents, std::uint64_t bytes);
  Weight& add_weight(const ds4_weight_desc& desc);
  double sample();
  void fail_with(const Error& error);
  Result<void> restore();
  Result<std::vector<std::vector<std::byte>>> snapshot(const std::vector<Check>& checks);
  Result<void> run(const ds4_op& fused, const std::vector<Check>& checks);
  Result<Outputs> run_once(std::span<const ds4_op* const> ops, const std::vector<Check>& checks);
  Result<void> run_result(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_composition(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_memory(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_repeated(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_by_row(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_counted(const ds4_op& op);
  Result<void> run_timed(const ds4_op& op);
  Result<void> run_wrong(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> run_graph(const ds4_op& op, const std::vector<Check>& checks);
  Result<void> same_bits_as(const Outputs& wanted, const Outputs& got,
                            const std::vector<Check>& checks, std::string_view how) const;
  void note_dtype(std::uint32_t dtype) noexcept;
  Result<void> check_output(const Check& check, const std::vector<std::byte>& fused,
                            const std::vector<std::byte>& composed);
  Result<void> check_row(const Check& check, std::size_t index, const std::byte* fused,
                         const std::byte* composed);
  [[nodiscard]] std::vector<bool> judged_rows(const Check& check, std::size_t rows) const;
  Result<void> check_present(const Check& check, std::size_t index, const std::byte* got) const;
  Result<void> check_ids(const Check& check, std::size_t row, std::size_t columns,
                         const std::byte* fused, const std::byte* composed);
  Result<void> check_value(const Check& check, std::size_t row, std::size_t column, float fused,
                           float composed, const Estimate& expected);
  Result<void> check_untouched(const std::vector<Check>& checks);

  Backend& backend_;
  Random random_;
  RowCase rows_;
  std::deque<Tensor> tensors_;
  std::deque<Weight> weights_;
  ds4_view step_{};
  Outcome outcome_;
  CaseOptions options_;
  Random sizes_;
  std::vector<std::uint32_t> extents_;
  std::uint32_t dtype_ = DS4_DTYPE_F32;
  double tolerance_ = 0;  // c of the check that runs
  // What a comparison calls its two sides.
  std::string_view first_name_ = "fused";
  std::string_view second_name_ = "composed";
  std::string_view op_name_;
};

}  // namespace ds4::conformance
