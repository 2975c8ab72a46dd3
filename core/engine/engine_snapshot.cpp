// Sessions to bytes and back; the format is that of kv/snapshot.hpp.
#include <algorithm>

#include "base/assert.hpp"
#include "engine/engine_state.hpp"
#include "kv/checksum.hpp"
#include "kv/little_endian.hpp"

namespace ds4 {
namespace {

constexpr std::size_t kStagingBytes = std::size_t{4} << 20;

/// Calls take(ring row, rows, index of the first among `rows`) for the runs of ring rows that hold
/// these positions: one, or two where the ring wraps.
template <class Take>
Result<void> ring_runs(const FrontierRows& rows, std::uint32_t capacity, Take take) {
  for (std::uint32_t done = 0; done < rows.count;) {
    const std::uint32_t row = (rows.first + done) % capacity;
    const std::uint32_t count = std::min(rows.count - done, capacity - row);
    DS4_CHECK(take(row, count, done));
    done += count;
  }
  return {};
}

}  // namespace

/// Collects what it reads from the device in a staging buffer of fixed size and hands it on, so
/// that a session of any length is saved in the same host memory.
struct Engine::State::Saver {
  Saver(const State& from, const SnapshotSink& to) : engine(from), sink(to) {
    staging.reserve(kStagingBytes);
  }

  Result<void> put(std::span<const std::byte> bytes) {
    DS4_CHECK(flush());
    sum.add(bytes);
    return sink(bytes);
  }

  Result<void> read(const DevicePart& part, const plugins::Buffer& from, std::uint64_t offset,
                    std::uint64_t bytes) {
    while (bytes > 0) {
      if (staging.size() == kStagingBytes) DS4_CHECK(flush());
      const std::size_t used = staging.size();
      const std::size_t count = std::min<std::uint64_t>(bytes, kStagingBytes - used);
      staging.resize(used + count);  // never past what is reserved: queued reads keep their target
      if (reading != &part) {
        // What another device still writes into the buffer has to be there before it is handed on.
        if (reading != nullptr) DS4_CHECK(reading->stream->sync());
        reading = &part;
      }
      DS4_CHECK(part.stream->read(from, offset, std::span(staging).subspan(used, count)));
      offset += count;
      bytes -= count;
    }
    return {};
  }

  Result<void> flush() {
    if (staging.empty()) return {};
    DS4_CHECK(reading->stream->sync());
    sum.add(staging);
    DS4_CHECK(sink(staging));
    staging.clear();
    return {};
  }

  Result<void> pages(const SessionState& session, std::uint32_t at,
                     const RowPlace LayerStorage::*kind, std::uint32_t rows) {
    const DevicePart& part = engine.part_of(at);
    const LayerStorage& layer = part.storage(at);
    const RowPlace& place = layer.*kind;
    if (place.row_bytes == 0) return {};
    const std::uint64_t page_bytes = kPageRows * place.row_bytes;
    for (std::uint32_t i = 0; i * kPageRows < rows; ++i) {
      const std::uint32_t count = std::min(rows - i * kPageRows, kPageRows);
      DS4_CHECK(read(part, part.pools[layer.ratio_class],
                     place.offset + session.pages[layer.ratio_class][i] * page_bytes,
                     count * place.row_bytes));
    }
    return {};
  }

  Result<void> ring(const DevicePart& part, RingsOf rings, std::uint64_t slot,
                    const RowPlace& place, const FrontierRows& rows) {
    const plugins::Buffer& from = rings == RingsOf::sessions ? *part.rings : *part.restore_rings;
    return ring_runs(
        rows, place.capacity, [&](std::uint32_t row, std::uint32_t count, std::uint32_t) {
          return read(part, from, slot * part.kv.slot_bytes + place.offset + row * place.row_bytes,
                      count * place.row_bytes);
        });
  }

  Result<void> frontier(const SnapshotShape& shape, RingsOf rings, std::uint64_t slot,
                        std::uint32_t position) {
    for (std::uint32_t i = 0; i < shape.layers.size(); ++i) {
      const DevicePart& part = engine.part_of(i);
      const LayerStorage& layer = part.storage(i);
      DS4_CHECK(ring(part, rings, slot, layer.ring, window_rows(shape, position)));
      if (layer.ratio == 0) continue;
      const FrontierRows pairs = pair_rows(shape, layer, position);
      DS4_CHECK(ring(part, rings, slot, layer.pairs, pairs));
      if (layer.index_pairs.row_bytes > 0) {
        DS4_CHECK(ring(part, rings, slot, layer.index_pairs, pairs));
      }
    }
    return {};
  }

  const State& engine;
  const SnapshotSink& sink;
  Checksum sum;
  std::vector<std::byte> staging;
  const DevicePart* reading = nullptr;  // whose reads are queued; those of others have arrived
};

SnapshotShape Engine::State::snapshot_shape() {
  if (!identity) identity = identify(model);
  return {model.config(), kv, *identity};
}

Result<void> Engine::State::save(const SessionState& session, const SnapshotSink& sink,
                                 bool with_points) {
  if (session.position == 0) {
    return fail(Errc::invalid_argument, "session ", session.slot,
                " has evaluated nothing that could be saved");
  }
  if (session.position < session.floor()) {
    return fail(Errc::invalid_argument, "session ", session.slot,
                " cannot be saved right after a failed step; evaluate a token first");
  }
  std::vector<std::uint32_t> points;
  std::vector<std::uint32_t> frontiers;
  for (const std::uint32_t point : session.points) {
    const std::uint32_t position = store.point(point).position;
    if (!with_points || position >= session.position) continue;
    points.push_back(point);
    frontiers.push_back(position);
  }
  if (points.size() >= kMostFrontiers) {
    // The nearest to the end are worth most.
    const auto surplus = static_cast<std::ptrdiff_t>(points.size() - (kMostFrontiers - 1));
    points.erase(points.begin(), points.begin() + surplus);
    frontiers.erase(frontiers.begin(), frontiers.begin() + surplus);
  }
  frontiers.push_back(session.position);

  const SnapshotShape shape = snapshot_shape();
  Saver saver(*this, sink);
  const auto done = [&]() -> Result<void> {
    DS4_CHECK(saver.put(snapshot_head(shape, session.tokens, frontiers)));
    for (std::uint32_t i = 0; i < shape.layers.size(); ++i) {
      if (shape.layers[i].ratio == 0) continue;
      const std::uint32_t rows = session.position / shape.layers[i].ratio;
      DS4_CHECK(saver.pages(session, i, &LayerStorage::pool, rows));
      DS4_CHECK(saver.pages(session, i, &LayerStorage::index_pool, rows));
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
      DS4_CHECK(saver.frontier(shape, RingsOf::restore_points, points[i], frontiers[i]));
    }
    DS4_CHECK(saver.frontier(shape, RingsOf::sessions, session.slot, session.position));
    return saver.flush();
  }();
  if (!done) {
    drain();  // reads into the staging buffer may be queued
    drop_queued_points();
    return done.error();
  }
  LittleEndianWriter end;
  end.u64(saver.sum.value());
  return sink(end.written());
}

Result<void> Engine::State::write_frontier(const SnapshotView& snapshot, std::size_t frontier,
                                           RingsOf rings, std::uint32_t ring_copy) {
  const SnapshotShape& shape = *snapshot.shape;
  const std::uint32_t position = snapshot.frontiers[frontier];
  const auto ring = [&](const DevicePart& part, const RowPlace& place, const FrontierRows& rows,
                        std::uint64_t from) {
    const plugins::Buffer& to = rings == RingsOf::sessions ? *part.rings : *part.restore_rings;
    return ring_runs(
        rows, place.capacity, [&](std::uint32_t row, std::uint32_t count, std::uint32_t done) {
          return part.stream->write(
              to, ring_copy * part.kv.slot_bytes + place.offset + row * place.row_bytes,
              snapshot.bytes.subspan(from + done * place.row_bytes, count * place.row_bytes));
        });
  };
  for (std::uint32_t i = 0; i < shape.layers.size(); ++i) {
    const DevicePart& part = part_of(i);
    const LayerStorage& layer = part.storage(i);
    const SnapshotLayout::Frontier& from = snapshot.layout.frontiers_at[frontier][i];
    DS4_CHECK(ring(part, layer.ring, window_rows(shape, position), from.window));
    if (layer.ratio == 0) continue;
    const FrontierRows pairs = pair_rows(shape, layer, position);
    DS4_CHECK(ring(part, layer.pairs, pairs, from.pairs));
    if (layer.index_pairs.row_bytes > 0) {
      DS4_CHECK(ring(part, layer.index_pairs, pairs, from.index_pairs));
    }
  }
  return {};
}

Result<void> Engine::State::write_pages(const SnapshotView& snapshot, const SessionState& session) {
  const auto rows_of = [&](const DevicePart& part, const LayerStorage& layer, const RowPlace& place,
                           std::uint64_t from) {
    const std::uint32_t rows = session.position / layer.ratio;
    const std::uint64_t page_bytes = kPageRows * place.row_bytes;
    Result<void> done;
    for (std::uint32_t i = 0; done && i * kPageRows < rows; ++i) {
      const std::uint32_t count = std::min(rows - i * kPageRows, kPageRows);
      done = part.stream->write(
          part.pools[layer.ratio_class],
          place.offset + session.pages[layer.ratio_class][i] * page_bytes,
          snapshot.bytes.subspan(from + i * page_bytes, count * place.row_bytes));
    }
    return done;
  };
  for (std::uint32_t i = 0; i < kv.layers().size(); ++i) {
    const DevicePart& part = part_of(i);
    const LayerStorage& layer = part.storage(i);
    if (layer.ratio == 0) continue;
    DS4_CHECK(rows_of(part, layer, layer.pool, snapshot.layout.rows_at[i]));
    if (layer.index_pool.row_bytes > 0) {
      DS4_CHECK(rows_of(part, layer, layer.index_pool, snapshot.layout.index_rows_at[i]));
    }
  }
  return {};
}

Result<void> Engine::State::restore(SessionState& session, std::span<const std::byte> bytes,
                                    std::string_view name) {
  const SnapshotShape shape = snapshot_shape();
  DS4_TRY(const SnapshotView snapshot, SnapshotView::read(bytes, shape, name));
  const auto tokens = static_cast<std::uint32_t>(snapshot.tokens.size());
  if (const PageDemand wanted = store.demand_instead(session, tokens); !wanted.fits()) {
    return store.shortage(wanted, "the saved session").in(name);
  }
  store.shorten(session, 0);
  DS4_CHECK(store.fill(session, tokens));
  session.tokens = snapshot.tokens;
  session.position = session.high = session.restored = tokens;
  const auto done = [&]() -> Result<void> {
    DS4_CHECK(write_pages(snapshot, session));
    DS4_CHECK(send_table(session));
    const std::size_t last = snapshot.frontiers.size() - 1;
    DS4_CHECK(write_frontier(snapshot, last, RingsOf::sessions, session.slot));
    // The nearest to the end first: there may be fewer free entries than states. Other sessions
    // keep theirs.
    for (std::size_t i = last; i-- > 0;) {
      const std::optional<std::uint32_t> point =
          store.restore_point(session, snapshot.frontiers[i]);
      if (!point) break;
      DS4_CHECK(write_frontier(snapshot, i, RingsOf::restore_points, *point));
    }
    return sync();
  }();
  if (!done) {
    drain();
    store.shorten(session, 0);
    return done.error().in(name);
  }
  return {};
}

}  // namespace ds4
