#include "bench/ops/product_kernels.hpp"

#include <array>

#include "bench/ops/plan_kernels.hpp"
#include "bench/ops/step_stand.hpp"
#include "format/dtype.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

constexpr std::array kFormats = {Dtype::q8_0, Dtype::f16, Dtype::q2_k, Dtype::iq2_xxs};
/// Widths that every format has whole blocks of.
constexpr std::uint32_t kUnit = 256;

bool is_expert_role(std::uint32_t role) {
  return role >= DS4_ROLE_EXPERT_GATE && role <= DS4_ROLE_EXPERT_DOWN;
}

std::uint64_t floats(std::uint64_t rows, std::uint64_t width) {
  return rows * width * sizeof(float);
}

Result<void> place(plugins::Device& device, Product& product, std::uint64_t x_bytes,
                   std::uint64_t y_bytes) {
  const std::uint32_t memory = device.info().memory[0].kind;
  DS4_TRY(product.x, device.create_buffer(x_bytes, memory, DS4_USAGE_ACTIVATION));
  DS4_TRY(product.y, device.create_buffer(y_bytes, memory, DS4_USAGE_ACTIVATION));
  DS4_TRY(const plugins::Stream stream, device.create_stream());
  return fill_with_noise(stream, product.x);
}

template <class Op>
Product begin(const Op& op, const ShapedWeight& weight, std::uint32_t rows) {
  Product product{Kernel(op.op), {}, {}};
  product.kernel.name = weight.name;
  product.kernel.rows = rows;
  product.kernel.weights = {&weight};
  product.kernel.shape = matrices_text(product.kernel.weights);
  product.kernel.types = types_text(product.kernel.weights);
  return product;
}

}  // namespace

bool is_matrix(const ShapedWeight& weight) noexcept {
  switch (weight.desc.role) {
    case DS4_ROLE_MATRIX:
    case DS4_ROLE_GROUPED:
    case DS4_ROLE_ROUTER:
    case DS4_ROLE_HC_MIX:
    case DS4_ROLE_OUTPUT_HEAD:
      return true;
    default:
      return is_expert_role(weight.desc.role);
  }
}

Result<Product> product_of(plugins::Device& device, const ShapedWeight& weight,
                           const ModelConfig& config, std::uint32_t rows, const BufferKeys& keys) {
  const ds4_weight_desc& desc = weight.desc;
  // Logits are wanted of one row, however many there are.
  if (desc.role == DS4_ROLE_OUTPUT_HEAD) rows = 1;
  const std::uint32_t in = desc.extent[desc.rank - 1];
  const std::uint32_t out = desc.extent[desc.rank - 2];
  const bool is_expert = is_expert_role(desc.role);
  const std::uint32_t parts = is_expert ? config.experts_used : desc.rank == 3 ? desc.extent[0] : 1;
  // Gate and up take the same vector for each of their experts.
  const std::uint32_t x_parts = is_expert && desc.role != DS4_ROLE_EXPERT_DOWN ? 1 : parts;
  WeightUse use{static_cast<double>(rows), 0, 0};
  if (desc.rank == 2) {
    auto op = make_op<ds4_op_matmul>(DS4_OP_MATMUL);
    op.rows = range_all(rows);
    op.weight = weight.handle();
    Product product = begin(op, weight, rows);
    DS4_CHECK(place(device, product, floats(rows, in), floats(rows, out)));
    op.x = make_view(product.x.handle(), 0, DS4_DTYPE_F32, {rows, in});
    op.y = make_view(product.y.handle(), 0, DS4_DTYPE_F32, {rows, out});
    product.kernel.op = OpCopy(op.op);
    product.kernel.cost = weight_cost(desc, use);
    product.kernel.cost.bytes += static_cast<double>(floats(rows, in) + floats(rows, out));
    return product;
  }
  auto op = make_op<ds4_op_grouped_matmul>(DS4_OP_GROUPED_MATMUL);
  op.rows = range_all(rows);
  op.weight = weight.handle();
  Product product = begin(op, weight, rows);
  const std::uint64_t x_bytes = floats(rows, std::uint64_t{x_parts} * in);
  const std::uint64_t y_bytes = floats(rows, std::uint64_t{parts} * out);
  DS4_CHECK(place(device, product, x_bytes, y_bytes));
  op.x = make_view(product.x.handle(), 0, DS4_DTYPE_F32, {rows, x_parts, in});
  op.y = make_view(product.y.handle(), 0, DS4_DTYPE_F32, {rows, parts, out});
  if (is_expert) {
    op.ids = make_view(BufferKeys::handle(keys.list), 0, DS4_DTYPE_I32, {rows, parts});
    product.kernel.lists = draw_lists(list_count(rows), rows, parts, desc.extent[0], false);
    use.experts = distinct_ids(product.kernel.lists);
    use.pairs = use.rows * parts;
    product.kernel.shape = std::to_string(parts) + " of " + product.kernel.shape;
  }
  product.kernel.op = OpCopy(op.op);
  product.kernel.cost = weight_cost(desc, use);
  product.kernel.cost.bytes += static_cast<double>(x_bytes + y_bytes);
  return product;
}

Result<Product> norm_of(plugins::Device& device, const ShapedWeight& gain, std::uint32_t rows) {
  const std::uint32_t width = gain.desc.extent[0];
  auto op = make_op<ds4_op_rms_norm>(DS4_OP_RMS_NORM);
  op.rows = range_all(rows);
  op.gain = gain.handle();
  op.eps = 1e-6;
  Product product = begin(op, gain, rows);
  const std::uint64_t bytes = floats(rows, width);
  DS4_CHECK(place(device, product, bytes, bytes));
  op.x = make_view(product.x.handle(), 0, DS4_DTYPE_F32, {rows, width});
  op.y = make_view(product.y.handle(), 0, DS4_DTYPE_F32, {rows, width});
  product.kernel.name = "rms_norm";
  product.kernel.shape = std::to_string(width);
  product.kernel.types = "f32";
  product.kernel.op = OpCopy(op.op);
  product.kernel.cost = weight_cost(gain.desc, {});
  product.kernel.cost.bytes += 2 * static_cast<double>(bytes);
  return product;
}

Result<std::vector<const ShapedWeight*>> format_shapes(plugins::Device& device,
                                                       const ModelConfig& config,
                                                       WeightShapes& shapes) {
  const std::uint32_t in = (config.width + kUnit - 1) / kUnit * kUnit;
  const std::uint32_t out = 4 * in;
  std::vector<const ShapedWeight*> formats;
  for (const Dtype dtype : kFormats) {
    ShapedWeight weight;
    weight.name = std::string("format.").append(view_dtype_name(static_cast<std::uint32_t>(dtype)));
    weight.desc.struct_size = sizeof(weight.desc);
    weight.desc.dtype = static_cast<std::uint32_t>(dtype);
    weight.desc.role = DS4_ROLE_MATRIX;
    weight.desc.layer = DS4_NO_LAYER;
    weight.desc.rank = 2;
    weight.desc.extent[0] = out;
    weight.desc.extent[1] = in;
    DS4_TRY(const std::uint64_t row, row_bytes(dtype, in));
    weight.desc.bytes = row * out;
    weight.desc.name = weight.name.c_str();
    DS4_TRY(const ds4_weight_answer answer, device.weight_query(weight.desc));
    if (answer.accepted == 0) continue;
    ShapedWeight& kept = shapes.emplace_back(std::move(weight));
    kept.desc.name = kept.name.c_str();
    formats.push_back(&kept);
  }
  return formats;
}

}  // namespace ds4::bench
