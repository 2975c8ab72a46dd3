#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> index_topk(const ds4_op_index_topk& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.ids, sink);
  DS4_CHECK(to.need_rank("ids", op.ids, 2));
  // Ascending: attention sums the chosen rows in the order of the list.
  auto top = to.begin<ds4_op_topk>(DS4_OP_TOPK, DS4_TOPK_ASCENDING_IDS);
  top.x = op.scores;
  top.count = op.count;
  top.ids = op.ids;
  to.emit(top);
  return {};
}

}  // namespace ds4::lowering
