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
  if (const Result<void> done = stream->sync(); !done && options.log) {
    options.log(LogLevel::debug, "engine", done.error().what);
  }
}

/// The rows of one page of every layer of the class.
Result<void> Engine::State::copy_page(const PageMove& move) {
  const plugins::Buffer& pool = pool_buffers[move.ratio_class];
  for (const LayerStorage& layer : kv.layers()) {
    if (layer.ratio == 0 || layer.ratio_class != move.ratio_class) continue;
    for (const RowPlace& place : {layer.pool, layer.index_pool}) {
      if (place.row_bytes == 0) continue;
      const std::uint64_t page = kPageRows * place.row_bytes;
      DS4_CHECK(stream->copy(pool, place.offset + move.to * page, pool,
                             place.offset + move.from * page, move.rows * place.row_bytes));
    }
  }
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
      if (move.rows > 0) DS4_CHECK(copy_page(move));
    }
    const std::size_t c = first.ratio_class;
    const std::size_t begin = store.table_begin(c, first.session->slot) + first.index;
    DS4_CHECK(stream->write(table_buffers[c], begin * sizeof(std::int32_t),
                            std::as_bytes(store.page_table(c).subspan(begin, count))));
    i += count;
  }
  return {};
}

Result<void> Engine::State::send_table(const SessionState& session) {
  for (std::size_t c = 0; c < table_buffers.size(); ++c) {
    if (session.pages[c].empty()) continue;
    const std::size_t begin = store.table_begin(c, session.slot);
    const auto entries = store.page_table(c).subspan(begin, session.pages[c].size());
    DS4_CHECK(
        stream->write(table_buffers[c], begin * sizeof(std::int32_t), std::as_bytes(entries)));
  }
  return {};
}

Result<SessionId> Engine::State::fork(const SessionState& session) {
  DS4_TRY(SessionState* const copy, store.fork(session));
  const auto done = [&]() -> Result<void> {
    DS4_CHECK(stream->copy(*rings, copy->slot * kv.slot_bytes, *rings, session.slot * kv.slot_bytes,
                           kv.slot_bytes));
    DS4_CHECK(send_table(*copy));
    return stream->sync();
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
  if (auto copied = stream->copy(*restore_rings, *point * kv.slot_bytes, *rings,
                                 session.slot * kv.slot_bytes, kv.slot_bytes);
      !copied) {
    drain();
    store.drop_point(*point);
    return copied.error();
  }
  return true;
}

Result<void> Engine::State::go_to_point(SessionState& session, std::uint32_t point) {
  store.go_to_point(session, point);
  DS4_CHECK(stream->copy(*rings, session.slot * kv.slot_bytes, *restore_rings,
                         point * kv.slot_bytes, kv.slot_bytes));
  DS4_CHECK(send_table(session));
  return stream->sync();
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
