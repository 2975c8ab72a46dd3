/// The gated unit of model.md 3.12: silu(min(gate, limit)) * clamp(up, -limit, limit) * factor.
#pragma once

#include <cstdint>

#include "../isa/vector.hpp"

namespace ds4::fast {

inline F32 gated_unit(F32 gate, F32 up, float limit) noexcept {
  if (limit > 0) {
    // The bound first: where a value is NaN, the value is kept.
    gate = least(all(limit), gate);
    up = greatest(all(-limit), least(all(limit), up));
  }
  return gate * logistic(gate) * up;
}

/// y[i] = unit of gate[i] and up[i], times factor; y may be gate. A limit of 0 or less clamps
/// nothing.
inline void gated_units(const float* gate, const float* up, double limit, float factor, float* y,
                        std::uint64_t n) noexcept {
  const auto bound = static_cast<float>(limit);
  each_lanes(
      n, [&](auto get, auto put) { put(y, gated_unit(get(gate), get(up), bound) * all(factor)); });
}

}  // namespace ds4::fast
