#include "contracts.hpp"

namespace ds4::cpu {

void check_scale_add(Check& c, const ds4_op_scale_add& op) {
  c.vectors(op.x, "x");
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
}

std::uint64_t work_scale_add(const ds4_op_scale_add& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_row_sum(Check& c, const ds4_op_row_sum& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  c.rows(op.y, "y", kF32, {op.x.extent[2]}, Check::Use::output);
}

std::uint64_t work_row_sum(const ds4_op_row_sum& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_unary(Check& c, const ds4_op_unary& op) {
  c.vectors(op.x, "x");
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
  if (op.function < DS4_UNARY_SIGMOID || op.function > DS4_UNARY_SQRT_SOFTPLUS) {
    c.fail(DS4_E_UNSUPPORTED, "function: unknown value ", op.function);
  }
}

std::uint64_t work_unary(const ds4_op_unary& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 16);
}

void check_rms_norm(Check& c, const ds4_op_rms_norm& op) {
  c.vectors(op.x, "x");
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
  c.require(width_of(op.x) != 0, "x: width is 0");
  if (op.gain != nullptr) c.vector(op.gain, "gain", width_of(op.x));
  c.require(op.eps >= 0, "eps is below 0");
}

std::uint64_t work_rms_norm(const ds4_op_rms_norm& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_rope_tail(Check& c, const ds4_op_rope_tail& op) {
  c.vectors(op.x, "x");
  c.list(op.positions, "positions");
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
  c.rope(op.rope, width_of(op.x));
}

std::uint64_t work_rope_tail(const ds4_op_rope_tail& op, std::uint64_t rows) {
  return sdk::sat_add(elementwise_work(rows, op.x),
                      sdk::sat_mul(rows, std::uint64_t{32} * op.rope.dims));
}

void check_quant_round_trip(Check& c, const ds4_op_quant_round_trip& op) {
  c.vectors(op.x, "x");
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
  c.rounding(op.rounding, width_of(op.x));
}

std::uint64_t work_quant_round_trip(const ds4_op_quant_round_trip& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 8);
}

void check_swiglu_clamp(Check& c, const ds4_op_swiglu_clamp& op) {
  c.vectors(op.gate, "gate");
  c.vectors(op.up, "up");
  c.same_shape(op.up, "up", op.gate);
  if (c.has(op.weight)) c.rows(op.weight, "weight", kF32, {vectors_of(op.gate)});
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.gate);
}

std::uint64_t work_swiglu_clamp(const ds4_op_swiglu_clamp& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.gate), 16);
}

void check_softmax_sink(Check& c, const ds4_op_softmax_sink& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  c.rows(op.y, "y", kF32, {op.x.extent[1], op.x.extent[2]}, Check::Use::in_place);
  if (op.sink != nullptr) c.vector(op.sink, "sink", op.x.extent[1]);
}

std::uint64_t work_softmax_sink(const ds4_op_softmax_sink& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 16);
}

void check_softmax_pool(Check& c, const ds4_op_softmax_pool& op) {
  c.rows(op.y, "y", kF32, {kAny}, Check::Use::output);
  check_pairs(c, op.ring, op.work, op.list, op.op.flags, op.y.extent[1]);
}

std::uint64_t work_softmax_pool(const ds4_op_softmax_pool& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.y), sdk::sat_mul(16, width_of(op.list)));
}

void check_mix_streams(Check& c, const ds4_op_mix_streams& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  c.rows(op.y, "y", kF32, {kAny, op.x.extent[2]}, Check::Use::output);
  const bool is_transposed = (op.op.flags & DS4_MIX_TRANSPOSE) != 0;
  const std::uint32_t m = op.y.extent[1];
  const std::uint32_t n = op.x.extent[1];
  c.rows(op.a, "a", kF32, {is_transposed ? n : m, is_transposed ? m : n});
}

std::uint64_t work_mix_streams(const ds4_op_mix_streams& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), vectors_of(op.y));
}

void check_normalize_sum(Check& c, const ds4_op_normalize_sum& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.rows(op.y, "y", kF32, {op.x.extent[1]}, Check::Use::in_place);
}

std::uint64_t work_normalize_sum(const ds4_op_normalize_sum& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_sinkhorn_split(Check& c, const ds4_op_sinkhorn_split& op) {
  c.rows(op.pre, "pre", kF32, {kAny}, Check::Use::output);
  const std::uint32_t n = op.pre.extent[1];
  c.require(n >= 1 && n <= 16, "pre: ", n, " streams are outside 1..16");
  c.rows(op.mixes, "mixes", kF32, {(2 + n) * n});
  c.rows(op.post, "post", kF32, {n}, Check::Use::output);
  c.rows(op.comb, "comb", kF32, {n, n}, Check::Use::output);
  c.vector(op.scale, "scale", 3);
  c.vector(op.base, "base", (2 + n) * n);
  c.require(op.iterations >= 1, "iterations is 0");
}

std::uint64_t work_sinkhorn_split(const ds4_op_sinkhorn_split& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.comb), 4 * std::uint64_t{op.iterations});
}

void check_steer(Check& c, const ds4_op_steer& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny}, Check::Use::in_place);
  c.vector(op.direction, "direction", op.x.extent[2]);
  c.finite(op.scale, "scale");
}

std::uint64_t work_steer(const ds4_op_steer& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 2);
}

void check_hc_pre(Check& c, const ds4_op_hc_pre& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  c.contiguous_rows(op.x, "x");
  const std::uint32_t n = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];
  c.require(n >= 1 && n <= 16, "x: ", n, " streams are outside 1..16");
  c.require(width != 0 && width <= 0xffffffffu / n, "x: width ", width, " is out of range");
  c.rows(op.y, "y", kF32, {width}, Check::Use::output);
  c.rows(op.post, "post", kF32, {n}, Check::Use::output);
  c.rows(op.comb, "comb", kF32, {n, n}, Check::Use::output);
  c.weight(op.fn, "fn", {(2 + n) * n, n * width});
  c.vector(op.scale, "scale", 3);
  c.vector(op.base, "base", (2 + n) * n);
  c.vector(op.gain, "gain", width);
  c.require(op.iterations >= 1, "iterations is 0");
}

std::uint64_t work_hc_pre(const ds4_op_hc_pre& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), mixes_of(op));
}

void check_hc_post(Check& c, const ds4_op_hc_post& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  const std::uint32_t n = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];
  c.rows(op.out, "out", kF32, {width});
  c.rows(op.post, "post", kF32, {n});
  c.rows(op.comb, "comb", kF32, {n, n});
  c.rows(op.y, "y", kF32, {n, width}, Check::Use::output);
  c.require(op.y.buffer == nullptr || op.y.buffer != op.x.buffer || op.y.offset != op.x.offset,
            "y is x, the sum reads every stream of x");
}

std::uint64_t work_hc_post(const ds4_op_hc_post& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), vectors_of(op.x));
}

void check_binary(Check& c, const ds4_op_binary& op) {
  c.vectors(op.x, "x");
  const std::uint32_t width = width_of(op.x);
  if (op.weight != nullptr) {
    c.require(op.weight->rank == 1, "weight: rank ", op.weight->rank, " where 1 is needed");
    c.vector(op.weight, "weight", op.weight->width() == 1 ? 1 : width);
  } else if (c.asking() == Asking::enqueue || c.has(op.b)) {
    c.vectors(op.b, "b");
    c.require(op.b.rank == op.x.rank, "b: rank ", op.b.rank, " where ", op.x.rank, " is needed");
    c.require(vectors_of(op.b) == vectors_of(op.x), "b: extent 1 is ", vectors_of(op.b), " where ",
              vectors_of(op.x), " is needed");
    c.require(width_of(op.b) == width || width_of(op.b) == 1, "b: width ", width_of(op.b),
              " where ", width, " or 1 is needed");
  }
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.x);
}

std::uint64_t work_binary(const ds4_op_binary& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace ds4::cpu
