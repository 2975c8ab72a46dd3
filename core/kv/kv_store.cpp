#include "kv/kv_store.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace ds4 {

KvStore::KvStore(const KvLayout& layout, std::uint32_t step_rows)
    : layout_(layout), sessions_(layout.limits.slots) {
  std::vector<std::uint32_t> session_pages;
  std::size_t most_moves = 0;
  for (const KvLayout::Class& entry : layout.classes) {
    pools_.emplace_back(entry.pages);
    tables_.emplace_back(std::size_t{std::max(entry.session_pages, 1U)} * layout.limits.slots, 0);
    session_pages.push_back(entry.session_pages);
    // Of each session in the step the page it is in, and the pages that its rows go on to.
    most_moves +=
        2 * std::min(layout.limits.slots, step_rows) + step_rows / (entry.ratio.ratio * kPageRows);
  }
  points_ = RestorePoints(layout.limits.restore_points, session_pages);
  moves_.reserve(most_moves);
}

SessionState* KvStore::find(std::uint32_t slot) {
  return slot < sessions_.size() && sessions_[slot] ? &*sessions_[slot] : nullptr;
}

const SessionState* KvStore::find(std::uint32_t slot) const {
  return slot < sessions_.size() && sessions_[slot] ? &*sessions_[slot] : nullptr;
}

std::size_t KvStore::table_begin(std::size_t c, std::uint32_t slot) const {
  return std::size_t{slot} * std::max(layout_.classes[c].session_pages, 1U);
}

Result<SessionState*> KvStore::open_session() {
  const auto free = std::find_if(sessions_.begin(), sessions_.end(),
                                 [](const auto& session) { return !session.has_value(); });
  if (free == sessions_.end()) {
    return fail(Errc::out_of_memory, "all ", sessions_.size(),
                " sessions are in use; close one or open the engine with more");
  }
  SessionState& session = free->emplace();
  session.slot = static_cast<std::uint32_t>(free - sessions_.begin());
  session.tokens.reserve(layout_.limits.context);
  session.points.reserve(points_.count());
  for (std::size_t c = 0; c < layout_.classes.size(); ++c) {
    session.pages[c].reserve(layout_.classes[c].session_pages);
  }
  return &session;
}

void KvStore::close(SessionState& session) {
  shorten(session, 0);
  sessions_[session.slot].reset();
}

Result<SessionState*> KvStore::fork(const SessionState& session) {
  DS4_TRY(SessionState* const copy, open_session());
  copy->position = session.position;
  copy->high = session.high;
  copy->restored = session.restored;
  copy->tokens.assign(session.tokens.begin(), session.tokens.end());
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    for (const std::uint32_t page : session.pages[c]) {
      pools_[c].share(page);
      copy->pages[c].push_back(page);
      set_entry(c, *copy, copy->pages[c].size() - 1);
    }
  }
  for (const std::uint32_t index : session.points) {
    ++points_[index].holders;
    copy->points.push_back(index);
  }
  return copy;
}

void KvStore::shorten(SessionState& session, std::uint32_t position) {
  session.position = position;
  session.tokens.resize(position);
  if (position == 0) session.high = session.restored = 0;
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    const std::uint32_t keep = pages_for(position, layout_.classes[c].ratio.ratio);
    while (session.pages[c].size() > keep) {
      pools_[c].release(session.pages[c].back());
      session.pages[c].pop_back();
    }
  }
  while (!session.points.empty() && points_[session.points.back()].position > position) {
    let_go(session, session.points.back());
  }
}

void KvStore::set_entry(std::size_t c, const SessionState& session, std::size_t index) {
  tables_[c][table_begin(c, session.slot) + index] =
      static_cast<std::int32_t>(session.pages[c][index]);
}

// --- restore points

std::optional<std::uint32_t> KvStore::add_point(SessionState& session, std::uint32_t position,
                                                bool is_kept) {
  DS4_ASSERT(position >= session.floor() && position <= session.position);
  if (points_.count() == 0 || position == 0) return std::nullopt;
  for (const std::uint32_t index : session.points) {
    if (points_[index].position != position) continue;
    points_[index].is_kept |= is_kept;
    return std::nullopt;
  }
  if (!points_.free_entry()) drop_point(*points_.victim(sessions_));
  return put_point(session, position, is_kept, *points_.free_entry());
}

std::optional<std::uint32_t> KvStore::restore_point(SessionState& session, std::uint32_t position) {
  const std::optional<std::uint32_t> free = points_.free_entry();
  if (!free) return std::nullopt;
  return put_point(session, position, false, *free);
}

std::uint32_t KvStore::put_point(SessionState& session, std::uint32_t position, bool is_kept,
                                 std::uint32_t index) {
  RestorePoint& point = points_[index];
  point.position = position;
  point.holders = 1;
  point.is_kept = is_kept;
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    const std::uint32_t count = pages_for(position, layout_.classes[c].ratio.ratio);
    for (std::uint32_t i = 0; i < count; ++i) {
      pools_[c].share(session.pages[c][i], PageHolder::restore_point);
      point.pages[c].push_back(session.pages[c][i]);
    }
  }
  const auto behind = std::find_if(
      session.points.begin(), session.points.end(),
      [this, position](std::uint32_t other) { return points_[other].position > position; });
  session.points.insert(behind, index);
  return index;
}

void KvStore::let_go(SessionState& session, std::uint32_t index) {
  session.points.erase(std::find(session.points.begin(), session.points.end(), index));
  if (--points_[index].holders == 0) release_point(index);
}

void KvStore::drop_point(std::uint32_t index) {
  for (std::optional<SessionState>& session : sessions_) {
    if (session) std::erase(session->points, index);
  }
  points_[index].holders = 0;
  release_point(index);
}

void KvStore::release_point(std::uint32_t index) {
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    for (const std::uint32_t page : points_[index].pages[c]) {
      pools_[c].release(page, PageHolder::restore_point);
    }
    points_[index].pages[c].clear();
  }
}

std::optional<std::uint32_t> KvStore::best_point(const SessionState& session,
                                                 std::uint32_t position) const {
  std::optional<std::uint32_t> best;
  for (const std::uint32_t index : session.points) {
    if (points_[index].position <= position) best = index;
  }
  return best;
}

void KvStore::go_to_point(SessionState& session, std::uint32_t index) {
  const RestorePoint& point = points_[index];
  shorten(session, point.position);
  session.high = session.restored = point.position;
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    DS4_ASSERT(session.pages[c].size() == point.pages[c].size());
    for (std::size_t i = 0; i < point.pages[c].size(); ++i) {
      // The session may have made a page its own since; the rows below the point are the same.
      pools_[c].share(point.pages[c][i]);
      pools_[c].release(session.pages[c][i]);
      session.pages[c][i] = point.pages[c][i];
      set_entry(c, session, i);
    }
  }
}

}  // namespace ds4
