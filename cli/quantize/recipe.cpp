#include "quantize/recipe.hpp"

#include <algorithm>
#include <string>

namespace ds4::quantize {
namespace {

Result<Dtype> parse_for(std::string_view name, TensorRole role, std::string_view what) {
  DS4_TRY(const Dtype dtype, parse_dtype(name));
  const auto allowed = allowed_dtypes(role);
  if (std::find(allowed.begin(), allowed.end(), dtype) != allowed.end()) return dtype;
  std::string names;
  for (const Dtype each : allowed) names.append(" ").append(dtype_name(each));
  return fail(Errc::invalid_argument, dtype_name(dtype), " cannot hold ", what, "; choose from",
              names);
}

}  // namespace

Result<Recipe> Recipe::parse(std::string_view type, std::string_view experts) {
  Recipe out;
  if (type != "auto") {
    DS4_TRY(out.projections, parse_for(type, TensorRole::attn_q_a, "projections"));
    const bool is_plain = out.projections == Dtype::f32 || out.projections == Dtype::bf16;
    out.side = is_plain ? out.projections : Dtype::f16;
    out.gate_up = out.projections;
    out.down = out.projections;
  }
  if (!experts.empty()) {
    const std::size_t slash = experts.find('/');
    const std::string_view down =
        slash == std::string_view::npos ? experts : experts.substr(slash + 1);
    constexpr TensorRole kExpert = TensorRole::ffn_down_exps;
    DS4_TRY(out.gate_up, parse_for(experts.substr(0, slash), kExpert, "routed experts"));
    DS4_TRY(out.down, parse_for(down, kExpert, "routed experts"));
  }
  return out;
}

Dtype Recipe::of(TensorRole role, bool is_fp4) const noexcept {
  const Dtype exact = is_fp4 ? Dtype::mxfp4 : projections;
  switch (role_traits(role).group) {
    case TensorGroup::vector:
      return Dtype::f32;
    case TensorGroup::table:
      return Dtype::i32;
    case TensorGroup::embedding:
    case TensorGroup::side:
      return side;
    case TensorGroup::expert_gate_up:
      return gate_up.value_or(exact);
    case TensorGroup::expert_down:
      return down.value_or(exact);
    default:
      return projections;
  }
}

}  // namespace ds4::quantize
