#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"
#include "plan/lowering/lowering.hpp"

namespace ds4 {

/// Writes one composition: every op that it emits has the fused op's range and tag.
///
/// Scratch has as many rows as the fused op can touch. Where the range begins at a fixed row, that
/// is `max` rows; where the step decides (begin_slot), it is all rows of a view of the fused op.
class Composer {
 public:
  /// `indexed`: any view of the fused op that is indexed by row of its range.
  Composer(const ds4_op& fused, const ds4_range& range, const ds4_view& indexed,
           LoweringSink& sink) noexcept
      : tag_(fused.tag), name_(op_name(fused.id)), range_(range), sink_(sink) {
    const std::uint32_t end = indexed.first_row + indexed.extent[0];
    first_row_ = std::max(range.begin, indexed.first_row);
    const std::uint32_t left = end > first_row_ ? end - first_row_ : 0;
    rows_ = range.begin_slot == DS4_SLOT_NONE ? std::min(range.max, left) : left;
  }

  [[nodiscard]] std::string_view name() const noexcept { return name_; }

  /// Scratch of [rows, a] or [rows, a, b].
  ds4_view scratch(std::uint32_t dtype, std::uint32_t a) {
    return placed(sink_.scratch(dtype, {rows_, a}));
  }
  ds4_view scratch(std::uint32_t dtype, std::uint32_t a, std::uint32_t b) {
    return placed(sink_.scratch(dtype, {rows_, a, b}));
  }

  /// A descriptor with the fused op's range.
  template <class Op>
  [[nodiscard]] Op begin(std::uint32_t id, std::uint32_t flags = 0) const noexcept {
    Op op = make_op<Op>(id);
    op.op.flags = flags;
    op.rows = range_;
    return op;
  }

  template <class Op>
  void emit(Op op) {
    op.op.tag = tag_;
    sink_.emit(op.op);
  }

  // The tier-1 ops that compositions use most, in the words of ops.h.
  void copy_cast(const ds4_view& x, const ds4_view& y);
  void gather_rows(const ds4_weight* table, const ds4_view& ids, const ds4_view& y,
                   double fill = 0);
  void scatter_rows(const ds4_view& x, const ds4_view& ids, const ds4_view& y);
  void matmul(const ds4_weight* weight, const ds4_view& x, const ds4_view& y,
              std::uint32_t flags = 0);
  void grouped_matmul(const ds4_weight* weight, const ds4_view& x, const ds4_view& ids,
                      const ds4_view& y);
  void rms_norm(const ds4_weight* gain, const ds4_view& x, const ds4_view& y, double eps);
  /// In place; nothing when there is no dimension to rotate.
  void rope_tail(const ds4_view& x, const ds4_view& positions, const ds4_rope& rope);
  /// In place; nothing when the rounding leaves every value as it is.
  void round_trip(const ds4_view& x, const ds4_rounding& rounding);
  void mix_streams(const ds4_view& a, const ds4_view& x, const ds4_view& y,
                   std::uint32_t flags = 0);
  void unary(std::uint32_t function, const ds4_view& x);
  void scale_add(const ds4_view& x, double scale, double offset);
  /// y = x + b or x * b, with b a weight or a view.
  void binary(std::uint32_t id, const ds4_view& x, const ds4_weight* weight, const ds4_view& y);
  void binary(std::uint32_t id, const ds4_view& x, const ds4_view& b, const ds4_view& y);
  void swiglu_clamp(const ds4_view& gate, const ds4_view& up, const ds4_view& weight, double limit);
  void row_sum(const ds4_view& x, const ds4_view& y);

  /// An error unless the view has this rank.
  [[nodiscard]] Result<void> need_rank(std::string_view view_name, const ds4_view& view,
                                       std::uint32_t rank) const;
  /// An error unless `holds`; `why` says what was wanted.
  [[nodiscard]] Result<void> need(bool holds, std::string_view why) const;

 private:
  [[nodiscard]] ds4_view placed(ds4_view view) const noexcept {
    view.first_row = first_row_;
    return view;
  }

  std::uint32_t tag_;
  std::string_view name_;
  ds4_range range_;
  LoweringSink& sink_;
  std::uint32_t first_row_ = 0;
  std::uint32_t rows_ = 0;
};

}  // namespace ds4
