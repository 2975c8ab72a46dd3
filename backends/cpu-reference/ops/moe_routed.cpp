/// moe_routed: the routed experts of each row (model.md 3.12); contract in ds4/ops.h.
///
/// Phase 1 shares out the inner units of every expert, phase 2 the outputs; an expert's weight row
/// is decoded once for all rows of the step that chose it. The sum over k ascends. A *slot* is one
/// choice: row * k + its place among the row's experts.
///
/// Streamed experts come in groups, each with both phases: the outputs of every slot are kept until
/// the last group is through, and then summed in the same order.
#include <algorithm>
#include <utility>

#include "cpu-common/streamed_experts.hpp"
#include "swiglu.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* middle;        // shared: [slots, inner]
  double* sums;          // [slots] of one output
  std::uint64_t* order;  // slots by expert, ascending within one
  std::uint64_t* begin;  // [experts + 1]: where an expert's slots begin in `order`
  float* gate;
  float* up;
  cpu::StreamedExperts streamed;
  double* outputs;  // shared, streamed: [slots, width]
  Layout(Arena& shared, Arena& local, const ds4_op_moe_routed& op)
      : middle(shared.take<double>(slots_of(op), inner_of(op))),
        sums(local.take<double>(slots_of(op))),
        order(local.take<std::uint64_t>(slots_of(op))),
        begin(local.take<std::uint64_t>(std::uint64_t{experts_of(op)} + 1)),
        gate(local.take<float>(width_of(op.v) > inner_of(op) ? width_of(op.v) : inner_of(op))),
        up(local.take<float>(width_of(op.v))),
        streamed(shared, local, op),
        outputs(shared.take<double>(is_streamed(op) ? slots_of(op) : 0, width_of(op.y))) {}
  static bool is_streamed(const ds4_op_moe_routed& op) {
    return op.gate != nullptr && op.gate->is_streamed;
  }
};

/// Sorts the slots by expert; ids that name no expert are left out.
void group_slots(Context& c, const Layout& at, const Bytes& ids, const sdk::RowRange& rows,
                 std::uint32_t experts) noexcept {
  std::fill_n(at.begin, std::uint64_t{experts} + 1, std::uint64_t{0});
  for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = i32(ids.row(r))[k];
      if (id < -1 || id >= std::int64_t{experts}) c.bad_index("ids", r, id, experts);
      if (id >= 0 && id < std::int64_t{experts}) ++at.begin[id];
    }
  }
  std::uint64_t total = 0;
  for (std::uint32_t e = 0; e <= experts; ++e) total += std::exchange(at.begin[e], total);
  // Placing moves each begin to its expert's end, which is the next one's begin: shift back after.
  for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = i32(ids.row(r))[k];
      if (id < 0 || id >= std::int64_t{experts}) continue;
      at.order[at.begin[id]++] = std::uint64_t{r - rows.first} * ids.width + k;
    }
  }
  for (std::uint32_t e = experts; e > 0; --e) at.begin[e] = at.begin[e - 1];
  at.begin[0] = 0;
}

/// Fills `middle` for this thread's inner units of expert `e`, whose rows begin at `from`: the
/// gated unit times the row's weight.
void run_inner(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
               const sdk::RowRange& rows, std::uint32_t e, const ds4_weight& gates,
               const ds4_weight& ups, std::uint64_t from) {
  if (at.begin[e] == at.begin[e + 1]) return;
  const Bytes v = Context::bytes(op.v);
  const Bytes weights = Context::bytes(op.weights);
  const std::uint32_t k = width_of(op.ids);
  const std::uint64_t inner = inner_of(op);
  const sdk::Part units = c.share(inner);
  for (std::uint64_t j = units.begin; j < units.end; ++j) {
    const float* gate = weight_row(gates, from + j, at.gate);
    const float* up = weight_row(ups, from + j, at.up);
    for (std::uint64_t n = at.begin[e]; n < at.begin[e + 1]; ++n) {
      const std::uint64_t slot = at.order[n];
      const std::uint32_t r = rows.first + static_cast<std::uint32_t>(slot / k);
      const float* x = f32(v.row(r));
      const double mid = swiglu(dot(x, gate, v.width), dot(x, up, v.width), op.limit);
      at.middle[slot * inner + j] = mid * f32(weights.row(r))[slot % k];
    }
  }
}

/// Fills this thread's outputs of y.
void run_outer(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
               const sdk::RowRange& rows) {
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t k = width_of(op.ids);
  const std::uint64_t inner = inner_of(op);
  std::fill_n(at.sums, std::uint64_t{rows.count} * k, 0.0);
  const sdk::Part outputs = c.share(y.width);
  for (std::uint64_t o = outputs.begin; o < outputs.end; ++o) {
    for (std::uint64_t e = 0; e < experts_of(op); ++e) {
      if (at.begin[e] == at.begin[e + 1]) continue;
      const float* down = weight_row(*op.down, e * y.width + o, at.gate);
      for (std::uint64_t n = at.begin[e]; n < at.begin[e + 1]; ++n) {
        const std::uint64_t slot = at.order[n];
        at.sums[slot] = dot(at.middle + slot * inner, down, inner);
      }
    }
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      double sum = 0;
      for (std::uint32_t s = 0; s < k; ++s) sum += at.sums[std::uint64_t{i} * k + s];
      f32(y.row(rows.first + i))[o] = static_cast<float>(sum);
    }
  }
}

/// Fills this thread's outputs of the slots of one expert.
void run_outputs(const Context& c, const ds4_op_moe_routed& op, const Layout& at, std::uint32_t e,
                 const ds4_weight& downs) {
  const std::uint64_t width = width_of(op.y);
  const std::uint64_t inner = inner_of(op);
  const sdk::Part outputs = c.share(width);
  for (std::uint64_t o = outputs.begin; o < outputs.end; ++o) {
    const float* down = weight_row(downs, o, at.gate);
    for (std::uint64_t n = at.begin[e]; n < at.begin[e + 1]; ++n) {
      const std::uint64_t slot = at.order[n];
      at.outputs[slot * width + o] = dot(at.middle + slot * inner, down, inner);
    }
  }
}

/// Sums the outputs of the slots into this thread's part of y: what it wrote itself.
void sum_outputs(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
                 const sdk::RowRange& rows) {
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t k = width_of(op.ids);
  const sdk::Part columns = c.share(y.width);
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    for (std::uint64_t o = columns.begin; o < columns.end; ++o) {
      double sum = 0;
      for (std::uint32_t s = 0; s < k; ++s) {
        sum += at.outputs[(std::uint64_t{i} * k + s) * y.width + o];
      }
      f32(y.row(rows.first + i))[o] = static_cast<float>(sum);
    }
  }
}

void run_streamed(Context& c, const ds4_op_moe_routed& op, Layout& at, const sdk::RowRange& rows) {
  const std::uint64_t width = width_of(op.y);
  // Slots without an expert add nothing.
  const sdk::Part columns = c.share(width);
  for (std::uint64_t slot = 0; slot < std::uint64_t{rows.count} * width_of(op.ids); ++slot) {
    double* const row = at.outputs + slot * width;
    std::fill(row + columns.begin, row + columns.end, 0.0);
  }
  const auto is_chosen = [&](std::uint32_t e) { return at.begin[e] != at.begin[e + 1]; };
  const auto run_group = [&](const cpu::StreamedExperts::Group& group) {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const cpu::StreamedExpert expert = at.streamed.expert(op, i);
      run_inner(c, op, at, rows, expert.id, expert.gate, expert.up, 0);
    }
    c.barrier();
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const cpu::StreamedExpert expert = at.streamed.expert(op, i);
      run_outputs(c, op, at, expert.id, expert.down);
    }
  };
  if (at.streamed.each_group(c, op, is_chosen, run_group)) sum_outputs(c, op, at, rows);
}

void run(Context& c, const ds4_op_moe_routed& op, const sdk::RowRange& rows) {
  Layout at(c.shared, c.local, op);
  group_slots(c, at, Context::bytes(op.ids), rows, experts_of(op));
  if (Layout::is_streamed(op)) return run_streamed(c, op, at, rows);
  for (std::uint32_t e = 0; e < experts_of(op); ++e) {
    run_inner(c, op, at, rows, e, *op.gate, *op.up, std::uint64_t{e} * inner_of(op));
  }
  c.barrier();
  run_outer(c, op, at, rows);
}

}  // namespace

extern const OpEntry kMoeRouted =
    make_entry_with<ds4_op_moe_routed, Layout, check_moe_routed, run, work_moe_routed>(
        DS4_OP_MOE_ROUTED);

}  // namespace ds4::reference
