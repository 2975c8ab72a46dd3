#include "engine/expert_cache.hpp"

#include <algorithm>
#include <chrono>
#include <new>

#include "engine/expert_cache_state.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kPage = 4096;

}  // namespace

void ExpertCache::State::prefetch(std::uint32_t layer, std::span<const std::int32_t> ids) {
  if (layer >= source.layers.size()) return;
  const std::lock_guard lock(mutex);
  const auto is_expert = [this](std::int32_t id) {
    return id >= 0 && static_cast<std::uint32_t>(id) < source.experts;
  };
  // Those that are there must not give way to those that are not.
  for (const std::int32_t id : ids) {
    if (!is_expert(id)) continue;
    const std::uint32_t at = slots.find(layer, static_cast<std::uint32_t>(id));
    if (at != kNone) slots.await(at);
  }
  for (const std::int32_t id : ids) {
    const auto expert = static_cast<std::uint32_t>(id);
    if (!is_expert(id)) continue;
    if (slots.find(layer, expert) != kNone) continue;
    if (!start(layer, expert, true)) return;
  }
}

/// Pins an expert that has a slot.
std::uint32_t ExpertCache::State::pin_there(std::uint32_t at, bool& waits) {
  ExpertSlots::Slot& slot = slots[at];
  if (slot.kind == ExpertSlots::Slot::Kind::ready) {
    ++counts.hits;
    counts.read_ahead += slot.is_ahead ? 1 : 0;
  } else {
    ++(slot.is_ahead ? counts.late : counts.misses);
    waits = true;
    hurry(at);
  }
  ++slot.pins;
  slots.use(at);
  return at;
}

/// The same for one that may have to be read into a slot first, once one is free.
Result<std::uint32_t> ExpertCache::State::pin(Lock& lock, std::uint32_t layer, std::uint32_t expert,
                                              bool& waits) {
  for (;;) {
    const std::uint32_t at = slots.find(layer, expert);
    if (at != kNone) return pin_there(at, waits);
    if (const auto started = start(layer, expert, false)) {
      ++counts.misses;
      waits = true;
      ++slots[*started].pins;
      slots.use(*started);
      return *started;
    }
    // Every slot is pinned, on its way or read ahead. The last kind gives way to what is wanted
    // now; the second comes free by itself.
    if (slots.stop_awaiting_one()) continue;
    if (!slots.some_come_free()) {
      return fail(Errc::invalid_argument, "layer ", layer, ": more than ", slots.size(),
                  " experts are in use at once, the cache holds no more; give --expert-cache more "
                  "memory");
    }
    waits = true;
    changed.wait(lock);
  }
}

/// Pins all of a call and waits until they are there, or cannot be.
Result<void> ExpertCache::State::pin_all(Lock& lock, std::uint32_t layer,
                                         std::span<const std::int32_t> ids,
                                         std::vector<std::uint32_t>& pinned, bool& waits) {
  pinned.assign(ids.size(), kNone);
  // First those that are there: none of them gives way to one that is not.
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint32_t at = slots.find(layer, static_cast<std::uint32_t>(ids[i]));
    if (at != kNone) pinned[i] = pin_there(at, waits);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (pinned[i] != kNone) continue;
    DS4_TRY(pinned[i], pin(lock, layer, static_cast<std::uint32_t>(ids[i]), waits));
  }
  changed.wait(lock, [this, &pinned] {
    return std::all_of(pinned.begin(), pinned.end(), [this](std::uint32_t index) {
      return slots[index].kind != ExpertSlots::Slot::Kind::loading;
    });
  });
  return {};
}

/// Of the slots of a ticket, or of those that acquire() got so far (kNone: none yet). The last to
/// let go of one that could not be filled frees it; others may wait for a slot that nobody uses.
void ExpertCache::State::let_go(std::span<const std::uint32_t> pinned) noexcept {
  for (const std::uint32_t index : pinned) {
    if (index == kNone || --slots[index].pins > 0 || !failures[index]) continue;
    failures[index].reset();
    slots.free(index);
  }
  changed.notify_all();
}

/// A list of pinned slots, from tickets that were released where there is one.
std::vector<std::uint32_t> ExpertCache::State::spare_list() {
  if (spare.empty()) return {};
  std::vector<std::uint32_t> list = std::move(spare.back());
  spare.pop_back();
  list.clear();
  return list;
}

Result<void> ExpertCache::State::check(std::uint32_t layer, std::span<const std::int32_t> ids,
                                       std::size_t room) const {
  if (layer >= source.layers.size() || room < ids.size()) {
    return fail(Errc::invalid_argument, "experts of layer ", layer, " of ", source.layers.size(),
                " were asked for");
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::uint32_t>(id) >= source.experts) {
      return fail(Errc::invalid_argument, "layer ", layer, " has no expert ", id, ", only 0..",
                  source.experts - 1);
    }
  }
  return {};
}

Result<std::uint64_t> ExpertCache::State::acquire(std::uint32_t layer,
                                                  std::span<const std::int32_t> ids,
                                                  std::span<ds4_expert_view> out) {
  DS4_CHECK(check(layer, ids, out.size()));
  const auto begin = std::chrono::steady_clock::now();
  Lock lock(mutex);
  // Slots, by id; the same one more than once where ids repeat. Whatever ends this early lets go.
  std::vector<std::uint32_t> pinned = spare_list();
  struct Pins {
    State& state;
    std::vector<std::uint32_t>* list;
    ~Pins() {
      if (list != nullptr) state.let_go(*list);
    }
  } pins{*this, &pinned};
  // Room for this ticket, and for every list that comes back.
  tickets.reserve(tickets.size() + 1);
  spare.reserve(spare.size() + tickets.size() + 1);
  bool waits = false;
  DS4_CHECK(pin_all(lock, layer, ids, pinned, waits));
  if (waits) {
    counts.waited_seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  for (const std::uint32_t index : pinned) {
    if (failures[index]) return Error(*failures[index]);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::span<std::byte> first = gate_up(pinned[i], layer);
    const std::span<std::byte> second = down(pinned[i], layer);
    out[i] = {first.data(), second.data(), first.size(), second.size(), DS4_MEMORY_HOST, 0};
  }
  const std::uint64_t ticket = next_ticket++;
  pins.list = nullptr;
  tickets.push_back({ticket, std::move(pinned)});
  return ticket;
}

void ExpertCache::State::release(std::uint64_t ticket) noexcept {
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(tickets.begin(), tickets.end(),
                                  [ticket](const Ticket& held) { return held.id == ticket; });
  if (found == tickets.end()) return;
  let_go(found->pinned);
  spare.push_back(std::move(found->pinned));
  tickets.erase(found);
}

std::uint64_t ExpertCache::slot_bytes(std::span<const ExpertBytes> layers) noexcept {
  std::uint64_t most = 0;
  for (const ExpertBytes& bytes : layers) {
    most = std::max(most, round_up(bytes.gate_up, State::kCacheLine) + bytes.down);
  }
  return round_up(most, kPage);
}

std::uint64_t ExpertCache::table_bytes(std::uint64_t slots, std::uint64_t experts) noexcept {
  return slots * (sizeof(std::optional<Error>) + sizeof(std::uint32_t)) +
         ExpertSlots::bytes(slots, experts);
}

Result<std::unique_ptr<ExpertCache>> ExpertCache::make(ExpertSource source, std::uint64_t bytes,
                                                       std::uint32_t least, std::uint32_t readers) {
  const std::uint64_t slot = slot_bytes(source.layers);
  const std::uint64_t all = source.layers.size() * std::uint64_t{source.experts};
  const std::uint64_t count = std::min(bytes / slot, all);
  if (count < std::min<std::uint64_t>(least, all)) {
    return fail(Errc::invalid_argument, "an expert cache of ", bytes, " bytes holds ", count,
                " experts of ", slot, " bytes; at least ", least, " are needed, ", least * slot,
                " bytes");
  }
  auto state = std::make_unique<State>(std::move(source), static_cast<std::uint32_t>(count));
  if (!state->pages.is_there()) {
    return fail(Errc::out_of_memory, "no memory for an expert cache of ", count * slot, " bytes");
  }
  std::unique_ptr<ExpertCache> cache(new ExpertCache(std::move(state)));
  if (!cache->state_->start_readers(std::max(readers, 1U))) {
    return fail(Errc::out_of_memory, "the system gives no thread to read experts with");
  }
  return cache;
}

ExpertCache::ExpertCache(std::unique_ptr<State> state) : state_(std::move(state)) {}

ExpertCache::~ExpertCache() {
  state_->stop_readers();
}

void ExpertCache::prefetch(std::uint32_t layer, std::span<const std::int32_t> ids) noexcept {
  state_->prefetch(layer, ids);
}

Result<std::uint64_t> ExpertCache::acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                           std::span<ds4_expert_view> out) noexcept {
  try {
    return state_->acquire(layer, ids, out);
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no memory to list ", ids.size(), " experts");
  }
}

void ExpertCache::release(std::uint64_t ticket) noexcept {
  state_->release(ticket);
}

std::uint32_t ExpertCache::capacity() const noexcept {
  return static_cast<std::uint32_t>(state_->slots.size());
}

ExpertCacheCounts ExpertCache::counts() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

void ExpertCache::reset_counts() noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->counts = {};
}

}  // namespace ds4
