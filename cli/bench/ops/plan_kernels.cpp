#include "bench/ops/plan_kernels.hpp"

#include <algorithm>

#include "engine/op_outputs.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

bool passes_ids_on(std::uint32_t id) {
  return id == DS4_OP_RESOLVE_TOKENS || id == DS4_OP_FILL || id == DS4_OP_PAGE_ROWS;
}

bool is_attention(std::uint32_t id) {
  return id >= DS4_OP_ATTN_DECODE && id <= DS4_OP_ATTN_INDEXED;
}

bool names(OpCopy& op, const void* handle) {
  const auto words = op.words();
  return std::find(words.begin(), words.end(), handle_key(handle)) != words.end();
}

/// What an op without matrices works on: of a choice how many of how many, else the inner extents
/// of what it writes.
std::string output_text(const ds4_op& op) {
  if (op.id == DS4_OP_INDEX_TOPK) {
    const auto& top = reinterpret_cast<const ds4_op_index_topk&>(op);
    return std::to_string(view_width(top.ids)) + " of " + std::to_string(view_width(top.scores));
  }
  if (op.id == DS4_OP_SAMPLE_ARGMAX) {
    return "1 of " + std::to_string(view_width(reinterpret_cast<const ds4_op_sample&>(op).x));
  }
  const std::vector<OpOutput> outputs = outputs_of(op);
  if (outputs.empty()) return "";
  const ds4_view& view = outputs.front().view;
  const bool is_stored = outputs.front().is_stored;
  return is_stored ? std::to_string(view_width(view))
                   : extents_text(view.extent + 1, view.rank - 1);
}

std::string name_of(const ds4_op& op, std::uint32_t ratio) {
  std::string name(op_name(op.id));
  if (is_attention(op.id) || op.id == DS4_OP_COMPRESS_PROJECT || op.id == DS4_OP_COMPRESS_EMIT) {
    name.append(".r").append(std::to_string(ratio));
  }
  if (op.id == DS4_OP_ROUTE && reinterpret_cast<const ds4_op_route&>(op).table != nullptr) {
    name.append(".table");
  }
  return name;
}

class KernelMaker {
 public:
  KernelMaker(const StepStand& stand, const ModelShapes& shapes, const LayerShapes& layer,
              const BufferKeys& keys)
      : stand_(stand), shapes_(shapes), layer_(layer), keys_(keys) {}

  Kernel make(const ds4_op& op) const {
    Kernel kernel(op);
    kernel.name = name_of(op, stand_.config().ratio(0));
    kernel.rows = stand_.rows_of(op);
    kernel.context = stand_.context();
    for (const auto* weights : {&layer_.of_layer, &shapes_.global}) {
      for (const ShapedWeight* weight : *weights) {
        if (names(kernel.op, weight)) kernel.weights.push_back(weight);
      }
    }
    kernel.shape = matrices_text(kernel.weights);
    kernel.types = types_text(kernel.weights);
    kernel.reads_rows = names(kernel.op, &keys_.rings) || names(kernel.op, &keys_.pool);
    WeightUse use{static_cast<double>(kernel.rows), 0, 0};
    if (op.id == DS4_OP_MOE_ROUTED) take_experts(kernel, use);
    double listed = 0;
    if (is_attention(op.id)) listed = describe_attention(kernel);
    if (kernel.shape.empty()) kernel.shape = output_text(op);
    if (kernel.types.empty()) kernel.types = view_dtype_name(outputs_of(op).front().view.dtype);
    // Views of lists of its own are none of the step's buffers: a few bytes.
    kernel.cost = stand_.cost_of(kernel.op.op(), listed);
    for (const ShapedWeight* weight : kernel.weights) kernel.cost += weight_cost(weight->desc, use);
    return kernel;
  }

 private:
  void take_experts(Kernel& kernel, WeightUse& use) const {
    auto& op = reinterpret_cast<ds4_op_moe_routed&>(*kernel.op.words().data());
    const std::uint32_t used = op.ids.extent[1];
    kernel.lists = draw_lists(list_count(op.ids.extent[0]), op.ids.extent[0], used,
                              stand_.config().stored(), false);
    op.ids = make_view(BufferKeys::handle(keys_.list), 0, DS4_DTYPE_I32, {op.ids.extent[0], used});
    use.experts = distinct_ids(kernel.lists);
    use.pairs = use.rows * used;
    kernel.shape = std::to_string(used) + " of " + kernel.shape;
  }

  /// Gives an indexed one random rows, and says how many different ones it has on average.
  double describe_attention(Kernel& kernel) const {
    auto& op = reinterpret_cast<ds4_op_attention&>(*kernel.op.words().data());
    const ModelConfig& config = stand_.config();
    kernel.shape = std::to_string(config.heads) + "x" + std::to_string(config.head_dim) + " sees " +
                   std::to_string(std::min(config.window, stand_.context()));
    kernel.types = view_dtype_name(op.source[0].rows.dtype);
    ds4_row_source& pool = op.source[2];
    if (pool.kind == DS4_SOURCE_NONE) return 0;
    const std::uint32_t visible = stand_.context() / config.ratio(0);
    if (pool.kind == DS4_SOURCE_PAGES) {
      kernel.shape += "+" + std::to_string(visible);
      return 0;
    }
    const std::uint32_t chosen = pool.list.extent[1];
    kernel.shape += "+" + std::to_string(std::min(chosen, visible));
    kernel.lists =
        draw_lists(list_count(pool.list.extent[0]), pool.list.extent[0], chosen, visible, true);
    pool.list =
        make_view(BufferKeys::handle(keys_.list), 0, DS4_DTYPE_I32, {pool.list.extent[0], chosen});
    return distinct_ids(kernel.lists);
  }

  const StepStand& stand_;
  const ModelShapes& shapes_;
  const LayerShapes& layer_;
  const BufferKeys& keys_;
};

}  // namespace

std::vector<Kernel> plan_kernels(const StepStand& stand, const ModelShapes& shapes,
                                 const LayerShapes& layer, const BufferKeys& keys,
                                 const WantsKernel& wants) {
  const KernelMaker maker(stand, shapes, layer, keys);
  std::vector<Kernel> kernels;
  for (const ds4_op* op : stand.plan().ops()) {
    // A step that finishes no compressed row has nothing to time there.
    if (passes_ids_on(op->id) || stand.rows_of(*op) == 0) continue;
    if (!wants(name_of(*op, stand.config().ratio(0)), *op)) continue;
    kernels.push_back(maker.make(*op));
  }
  return kernels;
}

}  // namespace ds4::bench
