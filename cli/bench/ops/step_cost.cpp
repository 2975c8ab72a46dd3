// What the ops of a step move and multiply beside their weights.
#include <algorithm>

#include "bench/ops/step_stand.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

double stored_row(const ds4_view& view) {
  return static_cast<double>(
      view_row_bytes(view.dtype, view_width(view), view.row_tail).value_or(0));
}

}  // namespace

std::uint32_t StepStand::rows_of(const ds4_op& op) const noexcept {
  // Every op begins with its range.
  const ds4_range& range = reinterpret_cast<const ds4_op_fill&>(op).rows;
  switch (range.count_slot) {
    case DS4_STEP_ROWS:
    case DS4_STEP_DECODE_ROWS:
    case DS4_STEP_PREFILL_ROWS:
      return std::min(range.max, rows_ - range.begin);
    case DS4_STEP_LOGITS_ROWS:
      return 1;
    case DS4_STEP_EMISSIONS:
      return context_ / ratio() - position() / ratio();
    default:
      return range.max;
  }
}

double StepStand::entries() const {
  double sum = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) sum += (position() + row + 1) / ratio();
  return sum;
}

OpCost StepStand::attention_cost(const ds4_op_attention& op, double listed) const {
  // The window of the step's first row reaches back furthest.
  const double ring = std::min(config_.window - 1, position());
  OpCost cost{ring * stored_row(op.source[0].rows), 0};
  double seen = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) {
    seen += std::min(config_.window, position() + row + 1);
  }
  const ds4_row_source& pool = op.source[2];
  if (pool.kind == DS4_SOURCE_PAGES) {
    cost.bytes += context_ / ratio() * stored_row(pool.rows);
    seen += entries();
  } else if (pool.kind == DS4_SOURCE_LIST) {
    cost.bytes += listed * stored_row(pool.rows);
    const std::uint32_t most = pool.list.extent[1];
    for (std::uint32_t row = 0; row < rows_; ++row) {
      seen += std::min(most, (position() + row + 1) / ratio());
    }
  }
  // Every row that is seen is key and value.
  cost.macs = 2 * seen * config_.heads * config_.head_dim;
  return cost;
}

OpCost StepStand::cost_of(const ds4_op& op, double listed) const {
  const std::uint32_t rows = rows_of(op);
  OpCost cost;
  if (op.id == DS4_OP_COMPRESS_EMIT) {
    const auto& emit = reinterpret_cast<const ds4_op_compress_emit&>(op);
    const double span = emit.list.extent[1];
    cost.bytes = rows * (span * 2 * view_width(emit.pool) * sizeof(float) + stored_row(emit.pool));
    return cost;
  }
  HandleMap shared;
  for (const auto& buffer : {&arena_, &block_, &logits_, &sampled_}) {
    shared[handle_key((*buffer)->handle())] = 0;
  }
  for (const ds4_view& view : views_of(op, shared)) cost.bytes += row_bytes_of(view, rows);
  switch (op.id) {
    case DS4_OP_ATTN_DECODE:
    case DS4_OP_ATTN_PREFILL_WINDOW:
    case DS4_OP_ATTN_PREFILL_MIXED:
    case DS4_OP_ATTN_INDEXED:
      cost += attention_cost(reinterpret_cast<const ds4_op_attention&>(op), listed);
      break;
    case DS4_OP_INDEX_SCORE: {
      const auto& score = reinterpret_cast<const ds4_op_index_score&>(op);
      cost.bytes += context_ / ratio() * stored_row(score.keys.rows);
      cost.macs += entries() * rows / rows_ * score.heads * score.dim;
      break;
    }
    case DS4_OP_KV_COMMIT:
    case DS4_OP_COMPRESS_COMMIT:
      cost.bytes += rows * stored_row(reinterpret_cast<const ds4_op_commit&>(op).y);
      break;
    default:
      break;
  }
  return cost;
}

}  // namespace ds4::bench
