#include "engine/expert_cache.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/anonymous_pages.hpp"
#include "base/checked.hpp"
#include "base/quiet_threads.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kNone = ~std::uint32_t{0};
/// An expert that was read ahead stays for this many uses of others, about those of eight layers;
/// then whoever foretold it was wrong.
constexpr std::uint64_t kAheadUses = 64;
/// After this many uses per slot all counts are halved, so that what was popular can go.
constexpr std::uint64_t kUsesPerHalving = 16;

struct Slot {
  enum class Kind { empty, loading, ready };
  Kind kind = Kind::empty;
  std::uint32_t layer = 0;
  std::uint32_t expert = 0;
  std::uint32_t pins = 0;  // tickets, and acquire() calls that wait for it
  std::uint32_t uses = 0;  // halved now and then
  std::uint64_t last_use = 0;
  bool is_ahead = false;            // loaded for a prefetch, not used yet
  std::uint64_t awaited_until = 0;  // by the clock of uses: foretold, and not used since
};

}  // namespace

struct ExpertCache::State {
  State(ExpertSource from, std::uint32_t count)
      : source(std::move(from)),
        stride(slot_bytes(source.layers)),
        pages(std::size_t{count} * stride),
        slots(count),
        places(source.layers.size() * source.experts, kNone),
        failures(count) {
    empty.reserve(count);
    queue.reserve(count);
    for (std::uint32_t i = count; i > 0; --i) empty.push_back(i - 1);
  }

  [[nodiscard]] std::uint32_t& place(std::uint32_t layer, std::uint32_t expert) {
    return places[std::size_t{layer} * source.experts + expert];
  }

  [[nodiscard]] std::span<std::byte> gate_up(std::uint32_t slot, std::uint32_t layer) const {
    return {pages.data() + std::size_t{slot} * stride, source.layers[layer].gate_up};
  }
  [[nodiscard]] std::span<std::byte> down(std::uint32_t slot, std::uint32_t layer) const {
    const std::span<std::byte> before = gate_up(slot, layer);
    return {before.data() + round_up(before.size(), kCacheLine), source.layers[layer].down};
  }
  static constexpr std::uint64_t kCacheLine = 64;

  /// A slot for another expert, or nothing when all are in use.
  std::optional<std::uint32_t> take_slot() {
    if (!empty.empty()) {
      const std::uint32_t slot = empty.back();
      empty.pop_back();
      return slot;
    }
    std::optional<std::uint32_t> victim;
    for (std::uint32_t i = 0; i < slots.size(); ++i) {
      const Slot& slot = slots[i];
      if (slot.kind != Slot::Kind::ready || slot.pins > 0 || is_awaited(slot)) continue;
      if (!victim || is_less_wanted(slot, slots[*victim])) victim = i;
    }
    if (victim) place(slots[*victim].layer, slots[*victim].expert) = kNone;
    return victim;
  }

  [[nodiscard]] bool is_awaited(const Slot& slot) const { return slot.awaited_until > clock; }

  static bool is_less_wanted(const Slot& a, const Slot& b) {
    return a.uses != b.uses ? a.uses < b.uses : a.last_use < b.last_use;
  }

  /// Has the expert loaded into a free slot; nothing when there is none.
  std::optional<std::uint32_t> start(std::uint32_t layer, std::uint32_t expert, bool is_ahead) {
    const std::optional<std::uint32_t> index = take_slot();
    if (!index) return std::nullopt;
    slots[*index] = {Slot::Kind::loading,
                     layer,
                     expert,
                     0,
                     0,
                     clock,
                     is_ahead,
                     is_ahead ? clock + kAheadUses : 0};
    place(layer, expert) = *index;
    // What somebody waits for goes before what somebody may want.
    queue.insert(is_ahead ? queue.end() : queue.begin(), *index);
    work.notify_one();
    return index;
  }

  /// What was only foretold is waited for now.
  void hurry(std::uint32_t index) {
    const auto queued = std::find(queue.begin(), queue.end(), index);
    if (queued == queue.end()) return;
    std::rotate(queue.begin(), queued, queued + 1);
  }

  void use(Slot& slot) {
    slot.last_use = ++clock;
    slot.is_ahead = false;
    slot.awaited_until = 0;
    ++slot.uses;
    if (++uses < kUsesPerHalving * slots.size()) return;
    uses = 0;
    for (Slot& each : slots) each.uses /= 2;
  }

  /// As many of `count` as the system gives; false: none.
  bool start_readers(std::uint32_t count) {
    readers = start_quiet_threads(count, [this](std::uint32_t i) { read_experts(i); });
    return !readers.empty();
  }

  void read_experts(std::uint32_t reader) {
    pthread_setname_np(pthread_self(), "ds4:experts");
    std::unique_lock lock(mutex);
    for (;;) {
      work.wait(lock, [this] { return stops || !queue.empty(); });
      if (stops) return;
      const std::uint32_t index = queue.front();
      queue.erase(queue.begin());
      Slot& slot = slots[index];
      const std::uint32_t layer = slot.layer;
      const std::uint32_t expert = slot.expert;
      lock.unlock();
      Result<std::uint64_t> loaded = load(reader, index, layer, expert);
      lock.lock();
      ++counts.loads;
      if (loaded) {
        counts.bytes_read += *loaded;
        slot.kind = Slot::Kind::ready;
      } else {
        forget(index, loaded.error());
      }
      changed.notify_all();
    }
  }

  /// Nothing may leave a reader's thread.
  Result<std::uint64_t> load(std::uint32_t reader, std::uint32_t index, std::uint32_t layer,
                             std::uint32_t expert) noexcept {
    try {
      return source.load(reader, layer, expert, gate_up(index, layer), down(index, layer));
    } catch (...) {
      return Error{Errc::out_of_memory, "out of memory"};
    }
  }

  /// An expert that could not be read: whoever waits for it is told, and the next one tries again.
  void forget(std::uint32_t index, Error error) {
    Slot& slot = slots[index];
    place(slot.layer, slot.expert) = kNone;
    slot.kind = Slot::Kind::empty;
    slot.is_ahead = false;
    slot.awaited_until = 0;
    if (slot.pins > 0) {
      failures[index] = std::move(error);
    } else {
      empty.push_back(index);
    }
  }

  /// Of the slots of a ticket, or of those that acquire() got so far (kNone: none yet). The last to
  /// let go of one that could not be filled frees it; others may wait for a slot that nobody uses.
  void let_go(std::span<const std::uint32_t> pinned) noexcept {
    for (const std::uint32_t index : pinned) {
      if (index == kNone || --slots[index].pins > 0 || !failures[index]) continue;
      failures[index].reset();
      empty.push_back(index);
    }
    changed.notify_all();
  }

  Result<std::uint64_t> acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                std::span<ds4_expert_view> out);
  std::uint32_t pin_there(std::uint32_t at, bool& waits);
  Result<std::uint32_t> pin(std::unique_lock<std::mutex>& lock, std::uint32_t layer,
                            std::uint32_t expert, bool& waits);

  /// A list of pinned slots, from tickets that were released where there is one.
  std::vector<std::uint32_t> spare_list() {
    if (spare.empty()) return {};
    std::vector<std::uint32_t> list = std::move(spare.back());
    spare.pop_back();
    list.clear();
    return list;
  }

  ExpertSource source;
  std::uint64_t stride;             // of a slot
  AnonymousPages pages;             // filled as experts come
  std::mutex mutex;                 // guards everything below
  std::condition_variable work;     // for readers: the queue, or the end
  std::condition_variable changed;  // for acquire(): an expert is there, or a slot is free
  std::vector<Slot> slots;
  std::vector<std::uint32_t> places;           // slot of (layer, expert), or kNone
  std::vector<std::optional<Error>> failures;  // by slot, while somebody waits
  std::vector<std::uint32_t> empty;
  std::vector<std::uint32_t> queue;  // slots to load, the next one first
  struct Ticket {
    std::uint64_t id;
    std::vector<std::uint32_t> pinned;
  };
  std::vector<Ticket> tickets;
  std::vector<std::vector<std::uint32_t>> spare;  // lists of tickets that were released
  std::uint64_t next_ticket = 1;
  std::uint64_t clock = 0;
  std::uint64_t uses = 0;
  ExpertCacheCounts counts;
  bool stops = false;
  std::vector<std::thread> readers;
};

/// Pins an expert that has a slot.
std::uint32_t ExpertCache::State::pin_there(std::uint32_t at, bool& waits) {
  Slot& slot = slots[at];
  const bool is_hit = slot.kind == Slot::Kind::ready || slot.is_ahead;
  ++(is_hit ? counts.hits : counts.misses);
  counts.read_ahead += is_hit && slot.is_ahead ? 1 : 0;
  if (slot.kind != Slot::Kind::ready) {
    waits = true;
    hurry(at);
  }
  ++slot.pins;
  use(slot);
  return at;
}

/// The same for one that may have to be read into a slot first, once one is free.
Result<std::uint32_t> ExpertCache::State::pin(std::unique_lock<std::mutex>& lock,
                                              std::uint32_t layer, std::uint32_t expert,
                                              bool& waits) {
  for (;;) {
    const std::uint32_t at = place(layer, expert);
    if (at != kNone) return pin_there(at, waits);
    if (const auto started = start(layer, expert, false)) {
      ++counts.misses;
      waits = true;
      ++slots[*started].pins;
      use(slots[*started]);
      return *started;
    }
    // Every slot is pinned, on its way or read ahead. The last kind gives way to what is wanted
    // now; the second comes free by itself.
    bool gave_way = false;
    bool may_come_free = false;
    for (Slot& slot : slots) {
      if (slot.kind == Slot::Kind::ready && slot.pins == 0 && is_awaited(slot)) {
        slot.is_ahead = false;
        slot.awaited_until = 0;
        gave_way = true;
        break;
      }
      may_come_free |= slot.kind == Slot::Kind::loading && slot.pins == 0;
    }
    if (gave_way) continue;
    if (!may_come_free) {
      return fail(Errc::invalid_argument, "layer ", layer, ": more than ", slots.size(),
                  " experts are in use at once, the cache holds no more; give --expert-cache more "
                  "memory");
    }
    waits = true;
    changed.wait(lock);
  }
}

Result<std::uint64_t> ExpertCache::State::acquire(std::uint32_t layer,
                                                  std::span<const std::int32_t> ids,
                                                  std::span<ds4_expert_view> out) {
  if (layer >= source.layers.size() || out.size() < ids.size()) {
    return fail(Errc::invalid_argument, "experts of layer ", layer, " of ", source.layers.size(),
                " were asked for");
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::uint32_t>(id) >= source.experts) {
      return fail(Errc::invalid_argument, "layer ", layer, " has no expert ", id, ", only 0..",
                  source.experts - 1);
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  // Slots, by id; the same one more than once where ids repeat. Whatever ends this early lets go.
  std::vector<std::uint32_t> pinned = spare_list();
  struct Pins {
    State& state;
    std::vector<std::uint32_t>* list;
    ~Pins() {
      if (list != nullptr) state.let_go(*list);
    }
  } pins{*this, &pinned};
  pinned.assign(ids.size(), kNone);
  // Room for this ticket, and for every list that comes back.
  tickets.reserve(tickets.size() + 1);
  spare.reserve(spare.size() + tickets.size() + 1);
  bool waits = false;
  // First those that are there: none of them gives way to one that is not.
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint32_t at = place(layer, static_cast<std::uint32_t>(ids[i]));
    if (at != kNone) pinned[i] = pin_there(at, waits);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (pinned[i] != kNone) continue;
    DS4_TRY(pinned[i], pin(lock, layer, static_cast<std::uint32_t>(ids[i]), waits));
  }
  changed.wait(lock, [this, &pinned] {
    return std::all_of(pinned.begin(), pinned.end(), [this](std::uint32_t index) {
      return slots[index].kind != Slot::Kind::loading;
    });
  });
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

std::uint64_t ExpertCache::slot_bytes(std::span<const ExpertBytes> layers) noexcept {
  std::uint64_t most = 0;
  for (const ExpertBytes& bytes : layers) {
    most = std::max(most, round_up(bytes.gate_up, State::kCacheLine) + bytes.down);
  }
  return round_up(most, kPage);
}

std::uint64_t ExpertCache::table_bytes(std::uint64_t slots, std::uint64_t experts) noexcept {
  return slots * (sizeof(Slot) + sizeof(std::optional<Error>) + 2 * sizeof(std::uint32_t)) +
         experts * sizeof(std::uint32_t);
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
  State& own = *cache->state_;
  if (!own.start_readers(std::max(readers, 1U))) {
    return fail(Errc::out_of_memory, "the system gives no thread to read experts with");
  }
  return cache;
}

ExpertCache::ExpertCache(std::unique_ptr<State> state) : state_(std::move(state)) {}

ExpertCache::~ExpertCache() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stops = true;
  }
  state_->work.notify_all();
  for (std::thread& reader : state_->readers) reader.join();
}

void ExpertCache::prefetch(std::uint32_t layer, std::span<const std::int32_t> ids) noexcept {
  if (layer >= state_->source.layers.size()) return;
  const std::lock_guard lock(state_->mutex);
  const auto is_expert = [this](std::int32_t id) {
    return id >= 0 && static_cast<std::uint32_t>(id) < state_->source.experts;
  };
  // Those that are there must not give way to those that are not.
  for (const std::int32_t id : ids) {
    if (!is_expert(id)) continue;
    const std::uint32_t at = state_->place(layer, static_cast<std::uint32_t>(id));
    if (at != kNone) state_->slots[at].awaited_until = state_->clock + kAheadUses;
  }
  for (const std::int32_t id : ids) {
    const auto expert = static_cast<std::uint32_t>(id);
    if (!is_expert(id)) continue;
    if (state_->place(layer, expert) != kNone) continue;
    if (!state_->start(layer, expert, true)) return;
  }
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
  const std::lock_guard lock(state_->mutex);
  auto& tickets = state_->tickets;
  const auto found = std::find_if(tickets.begin(), tickets.end(),
                                  [ticket](const auto& held) { return held.id == ticket; });
  if (found == tickets.end()) return;
  state_->let_go(found->pinned);
  state_->spare.push_back(std::move(found->pinned));
  tickets.erase(found);
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
