#include "tests/integration/engine/history.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "kv/checksum.hpp"

namespace ds4::test {
namespace {

constexpr std::uint32_t kRing = 16;      // rows of a ring beyond the window
constexpr std::uint32_t kSpacing = 256;  // tokens between points that nobody asked for

std::uint64_t hash(std::span<const std::byte> bytes) {
  return Checksum::of(bytes);
}

}  // namespace

RewindModel::RewindModel(std::uint32_t points) : entries_(points) {}

std::uint32_t RewindModel::Session::floor() const {
  const std::uint32_t ring = highest < kRing ? 0 : highest - kRing;
  return std::max(ring, restored);
}

void RewindModel::open(SessionId session) {
  sessions_[session] = {};
}

void RewindModel::close(SessionId session) {
  forget_above(session, 0);
  sessions_.erase(session);
}

void RewindModel::fork(SessionId from, SessionId to) {
  sessions_[to] = sessions_.at(from);
  for (std::optional<Point>& point : entries_) {
    if (point && point->holders.contains(from)) point->holders.insert(to);
  }
}

std::vector<std::uint32_t> RewindModel::points(SessionId session) const {
  std::vector<std::uint32_t> out;
  for (const std::optional<Point>& point : entries_) {
    if (point && point->holders.contains(session)) out.push_back(point->position);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void RewindModel::forget_above(SessionId session, std::uint32_t position) {
  for (std::optional<Point>& point : entries_) {
    if (!point || point->position <= position) continue;
    point->holders.erase(session);
    if (point->holders.empty()) point.reset();
  }
}

void RewindModel::step(const std::vector<Rows>& parts) {
  for (const Rows& part : parts) {
    Session& state = sessions_.at(part.session);
    state.position += part.rows;
    state.highest = std::max(state.highest, state.position);
  }
  for (const Rows& part : parts) {
    const Session& state = sessions_.at(part.session);
    const std::uint32_t at = std::max(state.position - part.back, state.floor());
    const std::vector<std::uint32_t> known = points(part.session);
    if (at >= (known.empty() ? 0 : known.back()) + kSpacing) add(part.session, at, false);
  }
}

void RewindModel::keep(SessionId session, std::uint32_t position) {
  if (position >= sessions_.at(session).floor()) add(session, position, true);
}

/// The entry for a new point. The text: an unasked point goes before a kept one; of those the one
/// with the least (tokens to the point before) / (1 + tokens to the end), in the session where that
/// is most; of equals the lower position.
std::size_t RewindModel::make_room() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i]) return i;
  }
  const auto worth = [this](const Point& point) {
    long double most = 0;
    for (const SessionId holder : point.holders) {
      std::uint32_t before = 0;
      for (const std::uint32_t other : points(holder)) {
        if (other < point.position) before = other;
      }
      const std::uint32_t to_end = sessions_.at(holder).position - point.position;
      most = std::max(most, static_cast<long double>(point.position - before) / (1.0L + to_end));
    }
    return most;
  };
  ++evictions_;
  std::size_t least = 0;
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const auto key = [&](std::size_t entry) {
      const Point& point = *entries_[entry];
      return std::tuple(point.is_kept, worth(point), point.position);
    };
    if (key(i) < key(least)) least = i;
  }
  return least;
}

void RewindModel::add(SessionId session, std::uint32_t position, bool is_kept) {
  if (entries_.empty() || position == 0) return;
  for (std::optional<Point>& point : entries_) {
    if (!point || point->position != position || !point->holders.contains(session)) continue;
    point->is_kept = point->is_kept || is_kept;
    return;
  }
  entries_[make_room()] = Point{position, is_kept, {session}};
}

std::uint32_t RewindModel::rewind(SessionId session, std::uint32_t target) {
  Session& state = sessions_.at(session);
  if (target == state.position) return target;
  if (target >= state.floor()) {
    state.position = target;
  } else {
    std::uint32_t best = 0;
    for (const std::uint32_t point : points(session)) {
      if (point <= target) best = point;
    }
    state = {best, best, best};
  }
  if (state.position == 0) state = {};
  forget_above(session, state.position);
  return state.position;
}

void RewindModel::load(SessionId session, std::uint32_t position,
                       const std::vector<std::uint32_t>& states) {
  forget_above(session, 0);
  sessions_[session] = {position, position, position};
  for (std::size_t i = states.size(); i-- > 0;) {
    const auto free = std::find(entries_.begin(), entries_.end(), std::nullopt);
    if (free == entries_.end()) return;
    *free = Point{states[i], false, {session}};
  }
}

bool SeenLogits::add(std::span<const std::int32_t> history, std::span<const float> logits) {
  const std::uint64_t value = hash(std::as_bytes(logits));
  return seen_.emplace(hash(std::as_bytes(history)), value).first->second == value;
}

void SeenLogits::finish(const Tokens& history) {
  if (!history.empty()) histories_.insert(history);
}

std::size_t SeenLogits::differing(Engine& plain, std::size_t& checked) const {
  std::size_t wrong = 0;
  for (auto history = histories_.begin(); history != histories_.end(); ++history) {
    // Sorted: a history that begins the next one is run as part of it.
    const auto next = std::next(history);
    if (next != histories_.end() && next->size() > history->size() &&
        std::equal(history->begin(), history->end(), next->begin())) {
      continue;
    }
    const SessionId session = must(plain.create_session());
    const std::vector<float> logits =
        all_logits(plain, session, *history, plain.options().prefill_rows);
    plain.close_session(session);
    const std::size_t vocab = plain.config().vocab;
    for (std::size_t i = 0; i < history->size(); ++i) {
      const auto seen = seen_.find(hash(std::as_bytes(std::span(*history).first(i + 1))));
      if (seen == seen_.end()) continue;
      ++checked;
      wrong += seen->second != hash(std::as_bytes(std::span(logits).subspan(i * vocab, vocab)));
    }
  }
  return wrong;
}

std::vector<std::byte> snapshot_of(Engine& engine, SessionId session, SnapshotContent content) {
  std::vector<std::byte> out;
  must(engine.snapshot(
      session,
      [&out](std::span<const std::byte> bytes) -> Result<void> {
        out.insert(out.end(), bytes.begin(), bytes.end());
        return {};
      },
      content));
  return out;
}

EngineOptions micro_options() {
  EngineOptions out;
  out.context = 640;
  out.sessions = 3;
  out.decode_rows = 8;
  out.prefill_rows = 64;
  out.logits_rows = 64;
  return out;
}

std::unique_ptr<Engine> engine_over(const std::filesystem::path& model,
                                    const EngineOptions& options) {
  return must(Engine::open(must(ModelFile::open(model)), open_device("cpu-reference", 1), options));
}

EngineDevices devices_of(const MicroPlacement& placement) {
  EngineDevices out;
  const auto& on = placement.on;
  out.placement.embed = on.front();
  out.placement.layers.assign(on.begin() + 1, on.end() - 1);
  out.placement.head = on.back();
  const std::size_t last = *std::max_element(on.begin(), on.end());
  while (out.devices.size() <= last) out.devices.push_back(open_device("cpu-reference", 1));
  return out;
}

std::unique_ptr<Engine> placed_engine_over(const std::filesystem::path& model,
                                           const EngineOptions& options,
                                           const MicroPlacement& placement) {
  return must(Engine::open(must(ModelFile::open(model)), devices_of(placement), options));
}

}  // namespace ds4::test
