#include "contracts.hpp"

namespace ds4::cpu {

void check_matmul(Check& c, const ds4_op_matmul& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.rows(op.y, "y", kF32, {kAny}, Check::Use::output);
  if (op.weight == nullptr && c.asking() == Asking::support) return;
  c.require(op.weight != nullptr, "weight is null");
  const std::uint32_t in = op.x.extent[1];
  switch (op.weight->rank) {
    case 1:
      c.weight(op.weight, "weight", {in});
      break;
    case 2:
      c.weight(op.weight, "weight", {kAny, in});
      break;
    default:
      c.weight(op.weight, "weight", {kAny, kAny, in});
  }
  c.require(op.weight->rows() == op.y.extent[1], "y: width ", op.y.extent[1], " where ",
            op.weight->rows(), " is needed");
}

std::uint64_t work_matmul(const ds4_op_matmul& op, std::uint64_t rows) {
  return sdk::sat_mul(rows, sdk::sat_mul(width_of(op.x), width_of(op.y)));
}

void check_matmul_act(Check& c, const ds4_op_matmul_act& op) {
  c.rows(op.q, "q", kF32, {kAny, kAny});
  c.source(op.keys, "keys", op.q.extent[2], {DS4_SOURCE_PAGES, DS4_SOURCE_LIST});
  c.rows(op.y, "y", kF32, {op.q.extent[1], kAny}, Check::Use::output);
}

std::uint64_t work_matmul_act(const ds4_op_matmul_act& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.q), width_of(op.y));
}

void check_grouped_matmul(Check& c, const ds4_op_grouped_matmul& op) {
  c.rows(op.y, "y", kF32, {kAny, kAny}, Check::Use::output);
  c.vectors(op.x, "x");
  const std::uint32_t k = op.y.extent[1];
  const std::uint32_t given = vectors_of(op.x);
  c.require(given == k || given == 1, "x: extent 1 is ", given, " where ", k, " or 1 is needed");
  c.weight(op.weight, "weight", {kAny, op.y.extent[2], width_of(op.x)});
  if (c.has(op.ids)) {
    c.rows(op.ids, "ids", kI32, {k});
  } else if (op.weight != nullptr) {
    c.require(op.weight->extent[0] >= k, "weight: ", op.weight->extent[0],
              " groups where ids are absent and ", k, " are needed");
  }
}

std::uint64_t work_grouped_matmul(const ds4_op_grouped_matmul& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.y), width_of(op.x));
}

void check_q_project(Check& c, const ds4_op_q_project& op) {
  c.rows(op.u, "u", kF32, {kAny});
  c.rows(op.qr, "qr", kF32, {kAny}, Check::Use::output);
  c.rows(op.q, "q", kF32, {kAny, kAny}, Check::Use::output);
  const std::uint32_t rank = op.qr.extent[1];
  const std::uint32_t heads = op.q.extent[1];
  const std::uint32_t dim = op.q.extent[2];
  c.require(rank != 0, "qr: width is 0");
  c.require(dim != 0 && heads <= 0xffffffffu / dim, "q: ", heads, " heads of ", dim,
            " are out of range");
  c.weight(op.wq_a, "wq_a", {rank, op.u.extent[1]});
  c.vector(op.gain, "gain", rank);
  c.weight(op.wq_b, "wq_b", {heads * dim, rank});
  c.rope(op.rope, dim);
  if (op.rope.dims != 0) c.list(op.positions, "positions");
}

std::uint64_t work_q_project(const ds4_op_q_project& op, std::uint64_t rows) {
  return sdk::sat_mul(sdk::sat_add(elementwise_work(rows, op.u), elementwise_work(rows, op.q)),
                      width_of(op.qr));
}

void check_kv_project(Check& c, const ds4_op_kv_project& op) {
  c.rows(op.u, "u", kF32, {kAny});
  c.rows(op.kv, "kv", kF32, {kAny}, Check::Use::output);
  const std::uint32_t width = op.kv.extent[1];
  c.require(width != 0, "kv: width is 0");
  c.weight(op.wkv, "wkv", {width, op.u.extent[1]});
  c.vector(op.gain, "gain", width);
  c.rope(op.rope, width);
  if (op.rope.dims != 0) c.list(op.positions, "positions");
  c.rounding(op.rounding, width);
}

std::uint64_t work_kv_project(const ds4_op_kv_project& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.u), width_of(op.kv));
}

void check_compress_project(Check& c, const ds4_op_compress_project& op) {
  c.rows(op.u, "u", kF32, {kAny});
  c.rows(op.pairs, "pairs", kF32, {kAny}, Check::Use::output);
  c.require(op.pairs.extent[1] % 2 == 0, "pairs: width ", op.pairs.extent[1], " is odd");
  const std::uint32_t columns = op.pairs.extent[1] / 2;
  c.weight(op.wkv, "wkv", {columns, op.u.extent[1]});
  c.weight(op.wgate, "wgate", {columns, op.u.extent[1]});
  c.weight(op.ape, "ape", {kAny, columns});
  c.list(op.ape_rows, "ape_rows");
}

std::uint64_t work_compress_project(const ds4_op_compress_project& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.u), width_of(op.pairs));
}

void check_attn_out(Check& c, const ds4_op_attn_out& op) {
  c.vectors(op.o, "o");
  c.contiguous_rows(op.o, "o");
  c.rows(op.y, "y", kF32, {kAny}, Check::Use::output);
  if (c.asking() == Asking::support && (op.wo_a == nullptr || op.wo_b == nullptr)) return;
  c.weight(op.wo_a, "wo_a", {kAny, kAny, kAny});
  const std::uint64_t groups = op.wo_a->extent[0];
  c.require(groups * op.wo_a->extent[2] == in_of(op), "o: ", in_of(op), " values where ",
            groups * op.wo_a->extent[2], " are needed");
  const std::uint64_t low = groups * op.wo_a->extent[1];
  c.require(low <= 0xfffffffeu, "wo_a: ", low, " outputs are out of range");
  c.weight(op.wo_b, "wo_b", {op.y.extent[1], static_cast<std::uint32_t>(low)});
}

std::uint64_t work_attn_out(const ds4_op_attn_out& op, std::uint64_t rows) {
  const std::uint64_t rank = op.wo_a != nullptr ? op.wo_a->extent[1] : 0;
  return sdk::sat_mul(
      rows, sdk::sat_add(sdk::sat_mul(in_of(op), rank), sdk::sat_mul(low_of(op), width_of(op.y))));
}

void check_moe_routed(Check& c, const ds4_op_moe_routed& op) {
  c.rows(op.v, "v", kF32, {kAny});
  const std::uint32_t width = op.v.extent[1];
  c.rows(op.ids, "ids", kI32, {kAny});
  c.rows(op.weights, "weights", kF32, {op.ids.extent[1]});
  c.rows(op.y, "y", kF32, {width}, Check::Use::output);
  c.experts(op.gate, "gate", {kAny, kAny, width});
  if (op.gate == nullptr) return;
  const std::uint32_t experts = op.gate->extent[0];
  c.experts(op.up, "up", {experts, inner_of(op), width});
  c.experts(op.down, "down", {experts, width, inner_of(op)});
  for (const ds4_weight* other : {op.up, op.down}) {
    if (other == nullptr) continue;
    c.require(other->is_streamed == op.gate->is_streamed &&
                  (!other->is_streamed || other->layer == op.gate->layer),
              "gate, up and down are not streamed alike, from one layer");
  }
  c.require(!op.gate->is_streamed || op.up == nullptr || op.up->dtype == op.gate->dtype,
            "gate and up are streamed in one type");
}

std::uint64_t work_moe_routed(const ds4_op_moe_routed& op, std::uint64_t rows) {
  return sdk::sat_mul(sdk::sat_mul(sdk::sat_mul(rows, width_of(op.ids)), width_of(op.v)),
                      sdk::sat_mul(3, inner_of(op)));
}

void check_ffn_shared(Check& c, const ds4_op_ffn_shared& op) {
  c.rows(op.v, "v", kF32, {kAny});
  const std::uint32_t width = op.v.extent[1];
  c.rows(op.y, "y", kF32, {width}, Check::Use::output);
  c.weight(op.gate, "gate", {kAny, width});
  if (op.gate == nullptr) return;
  c.weight(op.up, "up", {inner_of(op), width});
  c.weight(op.down, "down", {width, inner_of(op)});
}

std::uint64_t work_ffn_shared(const ds4_op_ffn_shared& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.v), sdk::sat_mul(3, inner_of(op)));
}

void check_head(Check& c, const ds4_op_head& op) {
  c.table(op.x, "x", kF32, {kAny, kAny, kAny});
  c.contiguous_rows(op.x, "x");
  const std::uint32_t n = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];
  c.require(n >= 1 && n <= 16, "x: ", n, " streams are outside 1..16");
  c.require(width != 0 && width <= 0xffffffffu / n, "x: width ", width, " is out of range");
  c.list(op.ids, "ids");
  c.rows(op.logits, "logits", kF32, {kAny}, Check::Use::output);
  c.weight(op.fn, "fn", {n, n * width});
  c.vector(op.scale, "scale", 1);
  c.vector(op.base, "base", n);
  c.vector(op.gain, "gain", width);
  c.weight(op.output, "output", {op.logits.extent[1], width});
}

std::uint64_t work_head(const ds4_op_head& op, std::uint64_t rows) {
  const std::uint64_t n = vectors_of(op.x);
  return sdk::sat_mul(sdk::sat_mul(rows, width_of(op.x)), sdk::sat_add(width_of(op.logits), n * n));
}

void check_compress_emit(Check& c, const ds4_op_compress_emit& op) {
  c.row_list(op.pool, "pool", kF32 | kKvRow | kIndexRow, kAny, Check::Use::output);
  const std::uint32_t width = width_of(op.pool);
  c.require(width != 0, "pool: width is 0");
  check_pairs(c, op.ring, op.work, op.list, op.op.flags, width);
  c.list(op.positions, "positions");
  c.list(op.ids, "ids");
  c.vector(op.gain, "gain", width);
  c.rope(op.rope, width);
  c.rounding(op.rounding, width);
}

std::uint64_t work_compress_emit(const ds4_op_compress_emit& op, std::uint64_t rows) {
  return sdk::sat_mul(sdk::sat_mul(rows, width_of(op.pool)), sdk::sat_mul(16, width_of(op.list)));
}

void check_index_score(Check& c, const ds4_op_index_score& op) {
  c.rows(op.qr, "qr", kF32, {kAny});
  c.rows(op.u, "u", kF32, {kAny});
  c.require(op.dim != 0 && op.heads <= 0xffffffffu / op.dim, "heads and dim: ", op.heads,
            " heads of ", op.dim, " are out of range");
  c.weight(op.wq_b, "wq_b", {op.heads * op.dim, op.qr.extent[1]});
  c.weight(op.proj, "proj", {op.heads, op.u.extent[1]});
  c.source(op.keys, "keys", op.dim, {DS4_SOURCE_PAGES});
  c.rows(op.scores, "scores", kF32, {kAny}, Check::Use::output);
  c.rope(op.rope, op.dim);
  if (op.rope.dims != 0) c.list(op.positions, "positions");
  c.rounding(op.rounding, op.dim);
  c.finite(op.scale, "scale");
}

std::uint64_t work_index_score(const ds4_op_index_score& op, std::uint64_t rows) {
  const std::uint64_t inner = sdk::sat_add(width_of(op.qr), width_of(op.scores) / 4);
  return sdk::sat_mul(sdk::sat_mul(rows, inner), sdk::sat_mul(op.heads, op.dim));
}

}  // namespace ds4::cpu
