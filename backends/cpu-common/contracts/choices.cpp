#include "contracts.hpp"

namespace ds4::cpu {

void check_topk(Check& c, const ds4_op_topk& op) {
  c.rows(op.x, "x", kF32, {kAny});
  if (c.has(op.count)) c.list(op.count, "count");
  c.rows(op.ids, "ids", kI32, {kAny}, Check::Use::output);
  if (c.has(op.values)) {
    c.rows(op.values, "values", kF32, {op.ids.extent[1]}, Check::Use::output);
  }
}

std::uint64_t work_topk(const ds4_op_topk& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 4);
}

void check_index_topk(Check& c, const ds4_op_index_topk& op) {
  c.rows(op.scores, "scores", kF32, {kAny});
  c.list(op.count, "count");
  c.rows(op.ids, "ids", kI32, {kAny}, Check::Use::output);
}

std::uint64_t work_index_topk(const ds4_op_index_topk& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.scores), 4);
}

void check_sample_argmax(Check& c, const ds4_op_sample& op) {
  c.rows(op.x, "logits", kF32, {kAny});
  c.list(op.ids, "ids", Check::Use::output);
  if (c.has(op.count)) c.list(op.count, "count");
  if (c.has(op.values)) c.rows(op.values, "values", kF32, {1}, Check::Use::output);
}

std::uint64_t work_sample_argmax(const ds4_op_sample& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_sample_topk(Check& c, const ds4_op_sample& op) {
  c.rows(op.x, "logits", kF32, {kAny});
  c.rows(op.ids, "ids", kI32, {kAny}, Check::Use::output);
  if (c.has(op.count)) c.list(op.count, "count");
  if (c.has(op.values)) {
    c.rows(op.values, "values", kF32, {op.ids.extent[1]}, Check::Use::output);
  }
}

std::uint64_t work_sample_topk(const ds4_op_sample& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), 4);
}

void check_route(Check& c, const ds4_op_route& op) {
  c.rows(op.v, "v", kF32, {kAny});
  c.rows(op.ids, "ids", kI32, {kAny}, Check::Use::output);
  const std::uint32_t k = op.ids.extent[1];
  c.rows(op.weights, "weights", kF32, {k}, Check::Use::output);
  c.weight(op.gate, "gate", {kAny, op.v.extent[1]});
  if (op.bias != nullptr) c.vector(op.bias, "bias", experts_of(op));
  if (op.table != nullptr) {
    c.weight(op.table, "table", {kAny, k}, true);
    c.list(op.tokens, "tokens");
  } else if (op.gate != nullptr) {
    c.require(k <= experts_of(op), "ids: ", k, " of ", experts_of(op), " experts");
  }
}

std::uint64_t work_route(const ds4_op_route& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.v), experts_of(op));
}

}  // namespace ds4::cpu
