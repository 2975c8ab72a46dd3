#include "engine/weight_choice.hpp"

namespace ds4 {

std::uint32_t weight_role(TensorRole role) noexcept {
  switch (role) {
    case TensorRole::token_embd:
      return DS4_ROLE_EMBEDDING;
    case TensorRole::output:
      return DS4_ROLE_OUTPUT_HEAD;
    case TensorRole::output_hc_fn:
    case TensorRole::hc_attn_fn:
    case TensorRole::hc_ffn_fn:
      return DS4_ROLE_HC_MIX;
    case TensorRole::attn_output_a:
      return DS4_ROLE_GROUPED;
    case TensorRole::attn_compressor_ape:
    case TensorRole::indexer_compressor_ape:
      return DS4_ROLE_WINDOW_TABLE;
    case TensorRole::ffn_gate_inp:
      return DS4_ROLE_ROUTER;
    case TensorRole::ffn_gate_tid2eid:
      return DS4_ROLE_TOKEN_TABLE;
    case TensorRole::ffn_gate_exps:
      return DS4_ROLE_EXPERT_GATE;
    case TensorRole::ffn_up_exps:
      return DS4_ROLE_EXPERT_UP;
    case TensorRole::ffn_down_exps:
      return DS4_ROLE_EXPERT_DOWN;
    default:
      return role_traits(role).group == TensorGroup::vector ? DS4_ROLE_VECTOR : DS4_ROLE_MATRIX;
  }
}

namespace {

/// The shape the ops expect: outermost first, the grouped projection as [groups, rank, in]. It
/// comes from the model, since a file may leave trailing extents of 1 out or add some.
ds4_weight_desc describe(const ModelConfig& config, const TensorInfo& tensor, TensorRole role,
                         std::uint32_t layer, const std::string& name) {
  const std::vector<std::uint64_t> dims =
      role_dims(config, role, layer == DS4_NO_LAYER ? 0 : config.ratio(layer));
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = static_cast<std::uint32_t>(tensor.dtype);
  desc.role = weight_role(role);
  desc.layer = layer;
  desc.rank = static_cast<std::uint32_t>(dims.size());
  for (std::uint32_t i = 0; i < desc.rank; ++i) {
    desc.extent[i] = static_cast<std::uint32_t>(dims[desc.rank - 1 - i]);
  }
  if (desc.role == DS4_ROLE_GROUPED) {
    desc.rank = 3;
    desc.extent[2] = desc.extent[1];
    desc.extent[1] = config.output_rank;
    desc.extent[0] = config.output_groups;
  }
  desc.bytes = tensor.bytes;
  desc.name = name.c_str();
  return desc;
}

/// Types with values that F16 can not hold, or not to the last bit.
bool exceeds_half(Dtype dtype) {
  return dtype == Dtype::f32 || dtype == Dtype::bf16 || dtype == Dtype::mxfp4;
}

/// The cheapest plain type that the device takes for this tensor.
Result<void> convert(const TensorInfo& tensor, const AskWeight& ask, WeightChoice& choice) {
  for (const Dtype target : {Dtype::f16, Dtype::f32}) {
    if (tensor.dtype == Dtype::i32 || target == tensor.dtype) continue;
    if (target == Dtype::f16 && exceeds_half(tensor.dtype)) continue;
    DS4_TRY(const std::uint64_t row, row_bytes(target, tensor.dims[0]));
    choice.desc.dtype = static_cast<std::uint32_t>(target);
    choice.desc.bytes = row * tensor.rows();
    DS4_TRY(choice.answer, ask(choice.desc));
    if (choice.answer.accepted == 0) continue;
    choice.is_converted = true;
    return {};
  }
  return fail(Errc::unsupported, "tensor ", tensor.name, ": the device takes neither ",
              dtype_name(tensor.dtype), " nor F16 nor F32 for it");
}

}  // namespace

std::vector<WeightItem> weight_items(const ModelFile& model) {
  std::vector<WeightItem> items;
  for (std::size_t r = 0; r < kTensorRoles; ++r) {
    const auto role = static_cast<TensorRole>(r);
    if (is_global(role)) items.push_back({model.global_tensor(role), role, DS4_NO_LAYER});
  }
  const ModelConfig& config = model.config();
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const TensorRole role : layer_roles(config.ratio(layer), config.is_hash_routed(layer))) {
      const TensorInfo* tensor = model.layer_tensor(layer, role);
      if (tensor != nullptr) items.push_back({tensor, role, layer});
    }
  }
  return items;
}

std::vector<WeightItem> weight_items(const ModelFile& model, const DeviceShare& share) {
  std::vector<WeightItem> items = weight_items(model);
  std::erase_if(items, [&share](const WeightItem& item) {
    if (item.layer != DS4_NO_LAYER) return !share.layers[item.layer];
    return item.role == TensorRole::token_embd ? !share.embeds : !share.has_head;
  });
  return items;
}

ds4_weight_desc describe_streamed(const ModelFile& model, const WeightItem& item,
                                  const std::string& name) {
  ds4_weight_desc desc = describe(model.config(), *item.tensor, item.role, item.layer, name);
  desc.flags = DS4_WEIGHT_STREAMED;
  return desc;
}

Result<WeightChoice> choose_weight(const ModelFile& model, const WeightItem& item,
                                   const std::string& name, const AskWeight& ask) {
  WeightChoice choice{};
  choice.desc = describe(model.config(), *item.tensor, item.role, item.layer, name);
  DS4_TRY(choice.answer, ask(choice.desc));
  if (choice.answer.accepted == 0) DS4_CHECK(convert(*item.tensor, ask, choice));
  choice.is_in_place = choice.answer.in_place != 0 && !choice.is_converted && model.is_mapped();
  return choice;
}

}  // namespace ds4
