#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "plan/step_layout.hpp"

namespace ds4 {

/// What the host knows of one session: its tokens, its place in the rings, its pages.
///
/// `position` tokens are evaluated; the next row is written at that position. `high` is one past
/// the highest position ever written: ring rows older than high - (W + 16) are overwritten, so a
/// rewind below floor() can not be served by shortening.
struct SessionState {
  std::uint32_t slot = 0;
  std::uint32_t position = 0;
  std::uint32_t high = 0;
  std::uint32_t restored = 0;        ///< position of the state that was last restored
  std::vector<std::int32_t> tokens;  ///< size >= position; entries below position are evaluated
  std::array<std::vector<std::uint32_t>, DS4_RATIO_CLASSES> pages;  ///< page ids by ratio class
  std::vector<std::uint32_t> points;  ///< restore points of this history, by rising position

  /// The lowest position that a rewind reaches by shortening alone (architecture decision 3.3).
  [[nodiscard]] std::uint32_t floor() const noexcept {
    return std::max(high > kRewindRows ? high - kRewindRows : 0U, std::min(restored, high));
  }
};

}  // namespace ds4
