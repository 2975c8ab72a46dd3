#include "kv/restore_points.hpp"

#include <algorithm>

namespace ds4 {

RestorePoints::RestorePoints(std::uint32_t count, std::span<const std::uint32_t> session_pages)
    : points_(count), worth_(count) {
  for (RestorePoint& point : points_) {
    for (std::size_t c = 0; c < session_pages.size(); ++c) point.pages[c].reserve(session_pages[c]);
  }
}

std::optional<std::uint32_t> RestorePoints::free_entry() const {
  const auto free = std::find_if(points_.begin(), points_.end(),
                                 [](const RestorePoint& point) { return point.holders == 0; });
  if (free == points_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(free - points_.begin());
}

bool RestorePoints::Worth::is_less(const Worth& other) const {
  if (is_kept != other.is_kept) return other.is_kept;
  return gain * other.distance < other.gain * distance;  // both factors are below 2^32
}

std::optional<std::uint32_t> RestorePoints::victim(
    std::span<const std::optional<SessionState>> sessions) {
  std::fill(worth_.begin(), worth_.end(), Worth{});
  for (const std::optional<SessionState>& session : sessions) {
    if (!session) continue;
    std::uint32_t before = 0;
    for (const std::uint32_t index : session->points) {
      const std::uint32_t position = points_[index].position;
      const Worth here{points_[index].is_kept, position - before,
                       std::uint64_t{session->position} - position + 1};
      if (worth_[index].is_less(here)) worth_[index] = here;
      before = position;
    }
  }
  std::optional<std::uint32_t> least;
  for (std::uint32_t i = 0; i < count(); ++i) {
    if (points_[i].holders == 0) continue;
    const bool is_lower = least && !worth_[*least].is_less(worth_[i]) &&
                          !worth_[i].is_less(worth_[*least]) &&
                          points_[i].position < points_[*least].position;
    if (!least || worth_[i].is_less(worth_[*least]) || is_lower) least = i;
  }
  return least;
}

}  // namespace ds4
