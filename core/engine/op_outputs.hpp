#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ds4/ops.h"

namespace ds4 {

/// How near an output of an op must be to another backend's, both from the same input.
enum class Nearness {
  exact,    ///< ids and copies
  single,   ///< f32 arithmetic
  product,  ///< sums over weights or stored rows: int8 activations or half products are legal
  rounded,  ///< a product that is then rounded to codes: a few codes may be neighbours
  chosen,   ///< expert ids: judged by margin (choice_margin)
};

/// One output of an op.
struct OpOutput {
  const char* name = "";
  ds4_view view{};
  Nearness nearness = Nearness::single;
  bool is_stored = false;  ///< rows of a ring or pool, at places that a list names
  ds4_view counts{};       ///< [rows] i32: how many values of each row have a meaning; rank 0: all
};

/// Every output of an op, in the order of its descriptor; empty for an id that ops.h does not have.
[[nodiscard]] std::vector<OpOutput> outputs_of(const ds4_op& op);

/// The rows of a view one after the other. A rank-3 view of stored rows is a list of its two outer
/// extents (backend.h); of any other view the outermost extent counts rows.
class ViewRows {
 public:
  ViewRows(const ds4_view& view, bool is_stored) noexcept;
  explicit ViewRows(const OpOutput& output) noexcept : ViewRows(output.view, output.is_stored) {}

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// From the first byte of the view to the first of a row.
  [[nodiscard]] std::uint64_t offset(std::uint64_t row) const noexcept;
  /// From the first byte of a row to one past its last.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Rows from `row` on, at most `most` bytes of them (at least one row), that lie one behind the
  /// other.
  [[nodiscard]] std::uint64_t run(std::uint64_t row, std::uint64_t most) const noexcept;

  /// The values of a row that begins at `row`; only for dtypes that stand for real numbers.
  [[nodiscard]] std::vector<float> values(const std::byte* row) const;
  /// The same for I32.
  [[nodiscard]] std::vector<std::int32_t> ids(const std::byte* row) const;

 private:
  template <class Take>
  void each_vector(Take take) const;

  ds4_view view_;
  std::uint32_t first_axis_;  // of the axes inside a row
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace ds4
