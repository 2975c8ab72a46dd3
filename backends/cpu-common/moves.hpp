/// The ops that move, convert and round rows and compute nothing else: one code for every CPU
/// backend.
#pragma once

#include "context.hpp"

namespace ds4::cpu {

struct CopyLayout {
  float* row;
  CopyLayout(Arena&, Arena& local, const ds4_op_copy_cast& op)
      : row(local.take<float>(width_of(op.x))) {}
};

void run_copy_cast(Context& c, const ds4_op_copy_cast& op, const sdk::RowRange& rows);
void run_fill(Context& c, const ds4_op_fill& op, const sdk::RowRange& rows);
void run_gather_rows(Context& c, const ds4_op_gather_rows& op, const sdk::RowRange& rows);
void run_scatter_rows(Context& c, const ds4_op_scatter_rows& op, const sdk::RowRange& rows);
void run_page_rows(Context& c, const ds4_op_page_rows& op, const sdk::RowRange& rows);
void run_resolve_tokens(Context& c, const ds4_op_resolve_tokens& op, const sdk::RowRange& rows);
void run_quant_round_trip(Context& c, const ds4_op_quant_round_trip& op, const sdk::RowRange& rows);
void run_take_columns(Context& c, const ds4_op_take_columns& op, const sdk::RowRange& rows);
void run_embed_streams(Context& c, const ds4_op_embed_streams& op, const sdk::RowRange& rows);
/// kv_commit and compress_commit: rows of the step go to their ring rows once the layer has read
/// the ring.
void run_commit(Context& c, const ds4_op_commit& op, const sdk::RowRange& rows);

}  // namespace ds4::cpu
