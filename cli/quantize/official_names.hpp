#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/tensors.hpp"

namespace ds4::quantize {

/// The name in an official checkpoint of a tensor outside routed experts:
/// "layers.3.attn.wkv.weight". Empty for routed experts and for roles the main model does not have.
[[nodiscard]] std::string official_name(TensorRole role, std::optional<std::uint32_t> layer);

/// True for the three roles whose experts are one tensor each in a checkpoint.
[[nodiscard]] bool is_routed_expert(TensorRole role) noexcept;

/// "layers.3.ffn.experts.17.w1.weight"; only for is_routed_expert() roles.
[[nodiscard]] std::string official_expert_name(TensorRole role, std::uint32_t layer,
                                               std::uint32_t expert);

}  // namespace ds4::quantize
