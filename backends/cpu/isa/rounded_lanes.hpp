/// store_rounded of bytes.hpp, lane by lane: for levels without an instruction that narrows.
#pragma once

#include <cstdint>

#include "vector.hpp"

namespace ds4::fast {

inline std::int32_t store_rounded(std::int8_t* q, F32 a) noexcept {
  float lanes[kLanes];
  store(lanes, a);
  std::int32_t total = 0;
  for (std::uint32_t i = 0; i < kLanes; ++i) {
    const auto value = static_cast<std::int32_t>(lanes[i]);
    q[i] = static_cast<std::int8_t>(value);
    total += value;
  }
  return total;
}

}  // namespace ds4::fast
