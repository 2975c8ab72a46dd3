/// attn_out: the grouped, low-rank output projection (model.md 3.11); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

std::uint64_t in_of(const ds4_op_attn_out& op) noexcept {
  return sdk::sat_mul(vectors_of(op.o), width_of(op.o));
}
std::uint64_t low_of(const ds4_op_attn_out& op) noexcept {
  return width_of(op.wo_b);
}

struct Layout {
  double* low;  // shared: [rows, groups * rank]
  float* weights;
  Layout(Arena& shared, Arena& local, const ds4_op_attn_out& op)
      : low(shared.take<double>(most_rows(op.rows, op.y), low_of(op))),
        weights(local.take<float>(in_of(op) > low_of(op) ? in_of(op) : low_of(op))) {}
};

void check(Check& c, const ds4_op_attn_out& op) {
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

void run(Context& c, const ds4_op_attn_out& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes o = Context::bytes(op.o);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t rank = op.wo_a->extent[1];
  const std::uint32_t in = op.wo_a->extent[2];
  const std::uint64_t low = low_of(op);
  const auto low_row = [&](std::uint32_t r) { return at.low + (r - rows.first) * low; };
  each_weight_row(c, *op.wo_a, 0, low, at.weights, [&](std::uint64_t i, const float* w) {
    // Group g reads its own run of heads: consecutive ones, not every G-th.
    const std::uint64_t group = i / rank;
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      low_row(r)[i] = dot(f32(o.row(r)) + group * in, w, in);
    }
  });
  c.barrier();
  each_weight_row(c, *op.wo_b, 0, y.width, at.weights, [&](std::uint64_t i, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      f32(y.row(r))[i] = static_cast<float>(dot(low_row(r), w, low));
    }
  });
}

std::uint64_t work(const ds4_op_attn_out& op, std::uint64_t rows) {
  const std::uint64_t rank = op.wo_a != nullptr ? op.wo_a->extent[1] : 0;
  return sdk::sat_mul(
      rows, sdk::sat_add(sdk::sat_mul(in_of(op), rank), sdk::sat_mul(low_of(op), width_of(op.y))));
}

}  // namespace

extern const OpEntry kAttnOut =
    make_entry_with<ds4_op_attn_out, Layout, check, run, work>(DS4_OP_ATTN_OUT);

}  // namespace ds4::reference
