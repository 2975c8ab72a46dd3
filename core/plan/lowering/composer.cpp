#include "plan/lowering/composer.hpp"

namespace ds4 {

void Composer::copy_cast(const ds4_view& x, const ds4_view& y) {
  auto op = begin<ds4_op_copy_cast>(DS4_OP_COPY_CAST);
  op.x = x;
  op.y = y;
  emit(op);
}

void Composer::gather_rows(const ds4_weight* table, const ds4_view& ids, const ds4_view& y,
                           double fill) {
  auto op = begin<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS);
  op.weight = table;
  op.ids = ids;
  op.y = y;
  op.fill = fill;
  emit(op);
}

void Composer::scatter_rows(const ds4_view& x, const ds4_view& ids, const ds4_view& y) {
  auto op = begin<ds4_op_scatter_rows>(DS4_OP_SCATTER_ROWS);
  op.x = x;
  op.ids = ids;
  op.y = y;
  emit(op);
}

void Composer::matmul(const ds4_weight* weight, const ds4_view& x, const ds4_view& y,
                      std::uint32_t flags) {
  auto op = begin<ds4_op_matmul>(DS4_OP_MATMUL, flags);
  op.weight = weight;
  op.x = x;
  op.y = y;
  emit(op);
}

void Composer::grouped_matmul(const ds4_weight* weight, const ds4_view& x, const ds4_view& ids,
                              const ds4_view& y) {
  auto op = begin<ds4_op_grouped_matmul>(DS4_OP_GROUPED_MATMUL);
  op.weight = weight;
  op.x = x;
  op.ids = ids;
  op.y = y;
  emit(op);
}

void Composer::rms_norm(const ds4_weight* gain, const ds4_view& x, const ds4_view& y, double eps) {
  auto op = begin<ds4_op_rms_norm>(DS4_OP_RMS_NORM);
  op.gain = gain;
  op.x = x;
  op.y = y;
  op.eps = eps;
  emit(op);
}

void Composer::rope_tail(const ds4_view& x, const ds4_view& positions, const ds4_rope& rope) {
  if (rope.dims == 0) return;
  auto op = begin<ds4_op_rope_tail>(DS4_OP_ROPE_TAIL);
  op.x = x;
  op.positions = positions;
  op.y = x;
  op.rope = rope;
  emit(op);
}

void Composer::round_trip(const ds4_view& x, const ds4_rounding& rounding) {
  if (rounding.format == DS4_ROUND_NONE && rounding.flags == 0) return;
  auto op = begin<ds4_op_quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP);
  op.x = x;
  op.y = x;
  op.rounding = rounding;
  emit(op);
}

void Composer::mix_streams(const ds4_view& a, const ds4_view& x, const ds4_view& y,
                           std::uint32_t flags) {
  auto op = begin<ds4_op_mix_streams>(DS4_OP_MIX_STREAMS, flags);
  op.a = a;
  op.x = x;
  op.y = y;
  emit(op);
}

void Composer::unary(std::uint32_t function, const ds4_view& x) {
  auto op = begin<ds4_op_unary>(DS4_OP_UNARY);
  op.x = x;
  op.y = x;
  op.function = function;
  emit(op);
}

void Composer::scale_add(const ds4_view& x, double scale, double offset) {
  auto op = begin<ds4_op_scale_add>(DS4_OP_SCALE_ADD);
  op.x = x;
  op.y = x;
  op.scale = scale;
  op.offset = offset;
  emit(op);
}

void Composer::binary(std::uint32_t id, const ds4_view& x, const ds4_weight* weight,
                      const ds4_view& y) {
  auto op = begin<ds4_op_binary>(id);
  op.weight = weight;
  op.x = x;
  op.y = y;
  emit(op);
}

void Composer::binary(std::uint32_t id, const ds4_view& x, const ds4_view& b, const ds4_view& y) {
  auto op = begin<ds4_op_binary>(id);
  op.x = x;
  op.b = b;
  op.y = y;
  emit(op);
}

void Composer::swiglu_clamp(const ds4_view& gate, const ds4_view& up, const ds4_view& weight,
                            double limit) {
  auto op = begin<ds4_op_swiglu_clamp>(DS4_OP_SWIGLU_CLAMP);
  op.gate = gate;
  op.up = up;
  op.weight = weight;
  op.y = gate;
  op.limit = limit;
  emit(op);
}

void Composer::row_sum(const ds4_view& x, const ds4_view& y) {
  auto op = begin<ds4_op_row_sum>(DS4_OP_ROW_SUM);
  op.x = x;
  op.y = y;
  emit(op);
}

Result<void> Composer::need_rank(std::string_view view_name, const ds4_view& view,
                                 std::uint32_t rank) const {
  if (view.rank == rank) return {};
  return fail(Errc::unsupported, name_, ": view ", view_name, " has rank ", view.rank,
              ", its composition needs rank ", rank);
}

Result<void> Composer::need(bool holds, std::string_view why) const {
  if (holds) return {};
  return fail(Errc::unsupported, name_, ": ", why);
}

}  // namespace ds4
