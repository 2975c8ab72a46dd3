/// hc_post: a sublayer's output and the mixed streams (model.md 3.3); contract in ds4/ops.h.
#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_hc_post& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes out = Context::bytes(op.out);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, x.middle, [&](std::uint32_t r, std::uint32_t k) {
    float* to = f32(y.row(r, k));
    scale_by(f32(out.row(r)), f32(post.row(r))[k], nullptr, to, x.width);
    // comb is (source, destination): stream k collects its column.
    for (std::uint32_t j = 0; j < x.middle; ++j) {
      add_scaled(to, f32(comb.row(r, j))[k], f32(x.row(r, j)), x.width);
    }
  });
}

}  // namespace

extern const OpEntry kHcPost =
    make_entry<ds4_op_hc_post, check_hc_post, run, work_hc_post>(DS4_OP_HC_POST);

}  // namespace ds4::fast
