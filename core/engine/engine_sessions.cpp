// What sessions do between steps: fork, keep states, go back.
#include <algorithm>

#include "base/assert.hpp"
#include "engine/engine_state.hpp"

namespace ds4 {

Result<SessionState*> Engine::State::open_session(SessionId session) {
  SessionState* const open = store.find(session);
  if (open == nullptr) return fail(Errc::invalid_argument, "session ", session, " is not open");
  return open;
}

void Engine::State::drain() {
  bool is_good = true;
  for (const auto& part : parts) is_good &= part->drain();
  if (!is_good) drop_queued_points();
}

void Engine::State::drop_queued_points() {
  for (const std::uint32_t point : queued_points) store.drop_point(point);
  queued_points.clear();
}

Result<void> Engine::State::sync() {
  for (const auto& part : parts) {
    auto done = part->stream->sync();
    if (done) continue;
    drop_queued_points();
    return done;
  }
  queued_points.clear();
  return {};
}

/// Copies pages that are made a session's own and sends the changed entries of page tables, those
/// that lie side by side at once.
Result<void> Engine::State::send_moves() {
  const std::span<const PageMove> moves = store.moves();
  for (std::size_t i = 0; i < moves.size();) {
    const PageMove& first = moves[i];
    std::size_t count = 0;
    for (; i + count < moves.size(); ++count) {
      const PageMove& move = moves[i + count];
      if (move.session != first.session || move.ratio_class != first.ratio_class ||
          move.index != first.index + count) {
        break;
      }
      if (move.rows == 0) continue;
      for (const auto& part : parts) DS4_CHECK(part->copy_page(move));
    }
    const std::size_t c = first.ratio_class;
    const std::size_t begin = store.table_begin(c, first.session->slot) + first.index;
    for (const auto& part : parts) {
      DS4_CHECK(part->send_entries(c, begin, store.page_table(c).subspan(begin, count)));
    }
    i += count;
  }
  return {};
}

Result<void> Engine::State::send_table(const SessionState& session) {
  for (std::size_t c = 0; c < kv.classes.size(); ++c) {
    if (session.pages[c].empty()) continue;
    const std::size_t begin = store.table_begin(c, session.slot);
    const auto entries = store.page_table(c).subspan(begin, session.pages[c].size());
    for (const auto& part : parts) DS4_CHECK(part->send_entries(c, begin, entries));
  }
  return {};
}

Result<SessionId> Engine::State::fork(const SessionState& session) {
  DS4_TRY(SessionState* const copy, store.fork(session));
  const auto done = [&]() -> Result<void> {
    for (const auto& part : parts) {
      DS4_CHECK(part->copy_rings(part->rings, copy->slot, part->rings, session.slot));
    }
    DS4_CHECK(send_table(*copy));
    return sync();
  }();
  if (!done) {
    drain();
    store.close(*copy);
    return done.error();
  }
  return copy->slot;
}

Result<bool> Engine::State::keep_point(SessionState& session, std::uint32_t position,
                                       bool is_kept) {
  if (options.restore_points == 0) return false;
  const std::optional<std::uint32_t> point = store.add_point(session, position, is_kept);
  if (!point) return true;  // there is one already, or it is the beginning
  for (const auto& part : parts) {
    const auto copied = part->copy_rings(part->restore_rings, *point, part->rings, session.slot);
    if (copied) continue;
    store.drop_point(*point);
    drain();
    return copied.error();
  }
  // Whether the copy goes well is known when the stream is waited for next.
  queued_points.push_back(*point);
  return true;
}

Result<void> Engine::State::go_to_point(SessionState& session, std::uint32_t point) {
  store.go_to_point(session, point);
  for (const auto& part : parts) {
    DS4_CHECK(part->copy_rings(part->rings, session.slot, part->restore_rings, point));
  }
  DS4_CHECK(send_table(session));
  return sync();
}

void Engine::State::go_back(SessionState& session, std::uint32_t position) {
  if (position >= session.floor()) {
    store.shorten(session, position);
    return;
  }
  const std::optional<std::uint32_t> point = store.best_point(session, position);
  if (!point) {
    store.shorten(session, 0);
    return;
  }
  if (const auto done = go_to_point(session, *point); !done) {
    if (options.log) options.log(LogLevel::debug, "engine", done.error().what);
    drain();
    store.shorten(session, 0);
  }
}

}  // namespace ds4
