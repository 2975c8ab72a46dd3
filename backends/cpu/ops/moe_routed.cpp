/// moe_routed: the routed experts of each row (model.md 3.12); contract in ds4/ops.h.
#include <algorithm>
#include <span>
#include <utility>

#include "cpu-common/streamed_experts.hpp"

#include "../kernels/gated_unit.hpp"
#include "../kernels/groups.hpp"
#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

/// Phase 1 shares out the inner units of every expert, phase 2 the outputs; an expert's weights are
/// read once for all rows of the step that chose it. The sum over k ascends. A *slot* is one
/// choice: row * k + its place among the row's experts.
///
/// Streamed experts come in groups, each with both phases: the outputs of every slot are kept until
/// the last group is through, and then summed in the same order.
struct Layout {
  /// Outputs that a thread makes at a time: the vectors of all slots are read once for them.
  static constexpr std::uint32_t kOuterRows = 4 * kTileRows;

  float* gate;  ///< shared: [slots, inner], then the unit's values
  float* up;    ///< shared: [slots, inner]
  ProductScratch of_v;
  ProductScratch of_middle;
  Groups groups;
  float* sums;  ///< [slots, kOuterRows] of some outputs
  cpu::StreamedExperts streamed;
  float* outputs;  ///< shared, streamed: [slots, width]
  Layout(Arena& shared, Arena& local, const ds4_op_moe_routed& op)
      : gate(shared.take<float>(slots_of(op), inner_of(op))),
        up(shared.take<float>(slots_of(op), inner_of(op))),
        of_v(shared, local, width_of(op.v), most_rows(op.rows, op.ids)),
        of_middle(shared, local, inner_of(op), slots_of(op)),
        groups(local, slots_of(op), experts_of(op)),
        sums(local.take<float>(slots_of(op), kOuterRows)),
        streamed(shared, local, op),
        outputs(shared.take<float>(is_streamed(op) ? slots_of(op) : 0, width_of(op.y))) {}
  static bool is_streamed(const ds4_op_moe_routed& op) {
    return op.gate != nullptr && op.gate->is_streamed;
  }
};

/// The vectors of v as the slots name them.
Operand operand_of_v(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
                     const sdk::RowRange& rows) {
  const Bytes v = Context::bytes(op.v);
  // One vector a row, whichever of its slots asks.
  Activations vectors = parts_of(v, rows, width_of(op.ids), v.width);
  vectors.vector_stride = 0;
  return make_operand(c, at.of_v, vectors, {op.gate, op.up});
}

/// Fills `gate` for this thread's inner units of one expert, whose rows begin at `from`: the gated
/// unit times the row's weight.
void run_inner(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
               const sdk::RowRange& rows, const Operand& x,
               const std::pair<const ds4_weight&, const ds4_weight&>& gate_up, std::uint64_t from,
               std::span<const std::uint32_t> members) {
  const Bytes weights = Context::bytes(op.weights);
  const std::uint32_t k = width_of(op.ids);
  const std::uint64_t inner = inner_of(op);
  const sdk::Part units = share_of_rows(c, inner);
  const auto put = [&](float* to) {
    return [to, inner](std::uint64_t o, std::uint32_t n, std::uint32_t slot, const float* sums) {
      std::copy_n(sums, n, to + slot * inner + o);
    };
  };
  each_product_of(c, gate_up.first, from, inner, x, members, put(at.gate));
  each_product_of(c, gate_up.second, from, inner, x, members, put(at.up));
  for (const std::uint32_t slot : members) {
    float* gate = at.gate + slot * inner + units.begin;
    gated_units(gate, at.up + slot * inner + units.begin, op.limit,
                f32(weights.row(rows.first + slot / k))[slot % k], gate, units.end - units.begin);
  }
}

Activations middle_of(const ds4_op_moe_routed& op, const Layout& at, const sdk::RowRange& rows) {
  return contiguous(at.gate, rows.count * width_of(op.ids), inner_of(op));
}

/// Fills this thread's outputs of y, some tiles of them at a time.
void run_outer(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
               const sdk::RowRange& rows) {
  constexpr std::uint32_t kRows = Layout::kOuterRows;
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t k = width_of(op.ids);
  const Operand x = make_operand(c, at.of_middle, middle_of(op, at, rows), {op.down});
  std::fill_n(at.sums, std::uint64_t{rows.count} * k * kRows, 0.0F);
  const sdk::Part tiles = c.share(tiles_of(y.width));
  for (std::uint64_t t = tiles.begin; t < tiles.end; t += kRows / kTileRows) {
    const sdk::Part some = {t, std::min<std::uint64_t>(t + kRows / kTileRows, tiles.end)};
    const std::uint64_t begin = t * kTileRows;
    const auto n =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(some.end * kTileRows, y.width) - begin);
    for (std::uint32_t e = 0; e < experts_of(op); ++e) {
      tile_product_of(
          *op.down, std::uint64_t{e} * y.width, y.width, some, x, at.groups.members(e),
          [&](std::uint64_t o, std::uint32_t count, std::uint32_t slot, const float* sums) {
            std::copy_n(sums, count, at.sums + std::uint64_t{slot} * kRows + (o - begin));
          });
    }
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      float* out = f32(y.row(rows.first + i)) + begin;
      const float* sums = at.sums + std::uint64_t{i} * k * kRows;
      for (std::uint32_t j = 0; j < n; ++j) {
        float total = 0;
        for (std::uint32_t s = 0; s < k; ++s) total += sums[s * kRows + j];
        out[j] = total;
      }
    }
  }
}

/// Sums the outputs of the slots into this thread's part of y: what it wrote itself.
void sum_outputs(const Context& c, const ds4_op_moe_routed& op, const Layout& at,
                 const sdk::RowRange& rows) {
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t k = width_of(op.ids);
  const sdk::Part columns = share_of_rows(c, y.width);
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    float* out = f32(y.row(rows.first + i));
    std::fill(out + columns.begin, out + columns.end, 0.0F);
    for (std::uint32_t slot = i * k; slot < (i + 1) * k; ++slot) {
      const float* from = at.outputs + std::uint64_t{slot} * y.width;
      // A slot without an expert adds the zero that the resident sum adds.
      const bool is_there = at.groups.has_group(slot);
      for (std::uint64_t o = columns.begin; o < columns.end; ++o) {
        out[o] += is_there ? from[o] : 0.0F;
      }
    }
  }
}

void run_streamed(Context& c, const ds4_op_moe_routed& op, Layout& at, const sdk::RowRange& rows) {
  const std::uint64_t width = width_of(op.y);
  const Operand v = operand_of_v(c, op, at, rows);
  const auto is_chosen = [&](std::uint32_t e) { return !at.groups.members(e).empty(); };
  const auto run_group = [&](const cpu::StreamedExperts::Group& group) {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const cpu::StreamedExpert expert = at.streamed.expert(op, i);
      run_inner(c, op, at, rows, v, {expert.gate, expert.up}, 0, at.groups.members(expert.id));
    }
    c.barrier();
    const Operand x = make_operand(c, at.of_middle, middle_of(op, at, rows), {op.down},
                                   at.groups.members(group.begin, group.end));
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const cpu::StreamedExpert expert = at.streamed.expert(op, i);
      each_product_of(c, expert.down, 0, width, x, at.groups.members(expert.id),
                      [&](std::uint64_t o, std::uint32_t n, std::uint32_t slot, const float* sums) {
                        std::copy_n(sums, n, at.outputs + slot * width + o);
                      });
    }
  };
  if (at.streamed.each_group(c, op, is_chosen, run_group)) sum_outputs(c, op, at, rows);
}

void run(Context& c, const ds4_op_moe_routed& op, const sdk::RowRange& rows) {
  Layout at(c.shared, c.local, op);
  const Bytes ids = Context::bytes(op.ids);
  const std::uint32_t experts = experts_of(op);
  at.groups.sort(rows.count * ids.width, experts, [&](std::uint32_t slot) {
    const std::uint32_t r = rows.first + slot / ids.width;
    const std::int64_t id = i32(ids.row(r))[slot % ids.width];
    if (id < -1 || id >= std::int64_t{experts}) c.bad_index("ids", r, id, experts);
    return id;
  });
  if (Layout::is_streamed(op)) return run_streamed(c, op, at, rows);
  const Operand v = operand_of_v(c, op, at, rows);
  for (std::uint32_t e = 0; e < experts; ++e) {
    run_inner(c, op, at, rows, v, {*op.gate, *op.up}, e * std::uint64_t{inner_of(op)},
              at.groups.members(e));
  }
  c.barrier();
  run_outer(c, op, at, rows);
}

}  // namespace

extern const OpEntry kMoeRouted =
    make_entry_with<ds4_op_moe_routed, Layout, check_moe_routed, run, work_moe_routed>(
        DS4_OP_MOE_ROUTED);

}  // namespace ds4::fast
