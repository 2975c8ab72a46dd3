#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kv/session_state.hpp"

namespace ds4 {

/// Tokens between the restore points that a session gets by itself.
inline constexpr std::uint32_t kRestoreSpacing = 256;

/// A state to go back to: a fork without a slot. Its rings are ring copy `index` of the engine, its
/// pages are referenced here; its tokens are the first `position` tokens of each session that holds
/// it.
struct RestorePoint {
  std::uint32_t position = 0;
  std::uint32_t holders = 0;  ///< sessions whose history it belongs to; 0: free
  bool is_kept = false;       ///< asked for, not taken in passing: goes last
  std::array<std::vector<std::uint32_t>, DS4_RATIO_CLASSES> pages;  ///< page ids by ratio class
};

/// The fixed number of restore points that all sessions of an engine share.
class RestorePoints {
 public:
  RestorePoints() = default;
  /// `session_pages`: most page ids of a session by ratio class. Nothing is allocated later.
  RestorePoints(std::uint32_t count, std::span<const std::uint32_t> session_pages);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(points_.size()); }
  [[nodiscard]] RestorePoint& operator[](std::uint32_t index) { return points_[index]; }
  [[nodiscard]] const RestorePoint& operator[](std::uint32_t index) const { return points_[index]; }
  /// The lowest entry that is not in use.
  [[nodiscard]] std::optional<std::uint32_t> free_entry() const;

  /// The point whose loss costs least, nothing when none is in use: of those taken in passing if
  /// there is one, the least of (tokens to the point before it in its session) / (1 + tokens from
  /// it to the session's end). Points so lie the denser the nearer they are to the end. A point of
  /// several sessions counts where it is worth most; of equals the one at the lower position goes.
  [[nodiscard]] std::optional<std::uint32_t> victim(
      std::span<const std::optional<SessionState>> sessions);

 private:
  struct Worth {
    bool is_kept = false;
    std::uint64_t gain = 0;
    std::uint64_t distance = 1;
    [[nodiscard]] bool is_less(const Worth& other) const;
  };
  std::vector<RestorePoint> points_;
  std::vector<Worth> worth_;  // scratch of victim()
};

}  // namespace ds4
