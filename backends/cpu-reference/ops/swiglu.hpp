/// The gated unit of model.md 3.12 for one pair of values.
#pragma once

#include "common.hpp"

namespace ds4::reference {

/// silu(min(gate, limit)) * clamp(up, -limit, limit); a limit of 0 or less clamps nothing. A NaN
/// passes through every comparison.
inline double swiglu(double gate, double up, double limit) noexcept {
  if (limit > 0) {
    if (gate > limit) gate = limit;
    if (up > limit) up = limit;
    if (up < -limit) up = -limit;
  }
  return gate * logistic(gate) * up;
}

}  // namespace ds4::reference
