#include "engine/expert_cache.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/checked.hpp"

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
  bool is_ahead = false;  // loaded for a prefetch, not used yet
};

/// Address space that is filled as experts come.
class Arena {
 public:
  explicit Arena(std::size_t bytes)
      : bytes_(bytes),
        data_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (is_there()) (void)::madvise(data_, bytes_, MADV_HUGEPAGE);
  }
  ~Arena() {
    if (is_there()) ::munmap(data_, bytes_);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  [[nodiscard]] bool is_there() const { return data_ != MAP_FAILED; }
  [[nodiscard]] std::byte* at(std::size_t offset) const {
    return static_cast<std::byte*>(data_) + offset;
  }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace

struct ExpertCache::State {
  State(ExpertSource from, std::uint32_t count)
      : source(std::move(from)),
        arena(std::size_t{count} * slot_bytes(source)),
        slots(count),
        places(std::size_t{source.layers} * source.experts, kNone) {
    for (std::uint32_t i = count; i > 0; --i) empty.push_back(i - 1);
  }

  [[nodiscard]] std::uint32_t& place(std::uint32_t layer, std::uint32_t expert) {
    return places[std::size_t{layer} * source.experts + expert];
  }

  [[nodiscard]] std::span<std::byte> gate_up(std::uint32_t slot) const {
    return {arena.at(std::size_t{slot} * slot_bytes(source)), source.gate_up_bytes};
  }
  [[nodiscard]] std::span<std::byte> down(std::uint32_t slot) const {
    return {gate_up(slot).data() + round_up(source.gate_up_bytes, kCacheLine), source.down_bytes};
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

  [[nodiscard]] bool is_awaited(const Slot& slot) const {
    return slot.is_ahead && clock - slot.last_use < kAheadUses;
  }

  static bool is_less_wanted(const Slot& a, const Slot& b) {
    return a.uses != b.uses ? a.uses < b.uses : a.last_use < b.last_use;
  }

  /// Has the expert loaded into a free slot; nothing when there is none.
  std::optional<std::uint32_t> start(std::uint32_t layer, std::uint32_t expert, bool is_ahead) {
    const std::optional<std::uint32_t> index = take_slot();
    if (!index) return std::nullopt;
    slots[*index] = {Slot::Kind::loading, layer, expert, 0, 0, ++clock, is_ahead};
    place(layer, expert) = *index;
    // What somebody waits for goes before what somebody may want.
    is_ahead ? queue.push_back(*index) : queue.push_front(*index);
    work.notify_one();
    return index;
  }

  /// What was only foretold is waited for now.
  void hurry(std::uint32_t index) {
    const auto queued = std::find(queue.begin(), queue.end(), index);
    if (queued == queue.end()) return;
    queue.erase(queued);
    queue.push_front(index);
  }

  void use(Slot& slot) {
    slot.last_use = ++clock;
    slot.is_ahead = false;
    ++slot.uses;
    if (++uses < kUsesPerHalving * slots.size()) return;
    uses = 0;
    for (Slot& each : slots) each.uses /= 2;
  }

  void unpin(std::span<const std::uint32_t> pinned) {
    for (const std::uint32_t index : pinned) --slots[index].pins;
    // Others may wait for a slot that nobody uses.
    if (!pinned.empty()) changed.notify_all();
  }

  void read_experts() {
    std::unique_lock lock(mutex);
    for (;;) {
      work.wait(lock, [this] { return stops || !queue.empty(); });
      if (stops) return;
      const std::uint32_t index = queue.front();
      queue.pop_front();
      Slot& slot = slots[index];
      const std::uint32_t layer = slot.layer;
      const std::uint32_t expert = slot.expert;
      lock.unlock();
      Result<void> loaded = source.load(layer, expert, gate_up(index), down(index));
      lock.lock();
      ++counts.loads;
      if (loaded) {
        slot.kind = Slot::Kind::ready;
      } else {
        forget(index, loaded.error());
      }
      changed.notify_all();
    }
  }

  /// An expert that could not be read: whoever waits for it is told, and the next one tries again.
  void forget(std::uint32_t index, Error error) {
    Slot& slot = slots[index];
    place(slot.layer, slot.expert) = kNone;
    slot.kind = Slot::Kind::empty;
    slot.is_ahead = false;
    if (slot.pins > 0) {
      failures.insert_or_assign(index, std::move(error));
    } else {
      empty.push_back(index);
    }
  }

  /// Gives up slots that acquire() waited for; the last to let go of a failed one frees it.
  void abandon(std::span<const std::uint32_t> pinned) {
    for (const std::uint32_t index : pinned) {
      if (--slots[index].pins > 0 || !failures.contains(index)) continue;
      failures.erase(index);
      empty.push_back(index);
    }
    changed.notify_all();
  }

  Result<std::uint64_t> acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                std::span<ds4_expert_view> out);
  Result<void> pin(std::unique_lock<std::mutex>& lock, std::uint32_t layer, std::uint32_t expert,
                   std::vector<std::uint32_t>& pinned, bool& waits);

  ExpertSource source;
  Arena arena;
  std::mutex mutex;                 // guards everything below
  std::condition_variable work;     // for readers: the queue, or the end
  std::condition_variable changed;  // for acquire(): an expert is there, or a slot is free
  std::vector<Slot> slots;
  std::vector<std::uint32_t> places;  // slot of (layer, expert), or kNone
  std::vector<std::uint32_t> empty;
  std::deque<std::uint32_t> queue;
  std::map<std::uint32_t, Error> failures;  // by slot, while somebody waits
  std::map<std::uint64_t, std::vector<std::uint32_t>> tickets;
  std::uint64_t next_ticket = 1;
  std::uint64_t clock = 0;
  std::uint64_t uses = 0;
  ExpertCacheCounts counts;
  bool stops = false;
  std::vector<std::thread> readers;
};

Result<void> ExpertCache::State::pin(std::unique_lock<std::mutex>& lock, std::uint32_t layer,
                                     std::uint32_t expert, std::vector<std::uint32_t>& pinned,
                                     bool& waits) {
  for (;;) {
    const std::uint32_t at = place(layer, expert);
    if (at != kNone) {
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
      pinned.push_back(at);
      return {};
    }
    if (const auto started = start(layer, expert, false)) {
      ++counts.misses;
      waits = true;
      ++slots[*started].pins;
      use(slots[*started]);
      pinned.push_back(*started);
      return {};
    }
    // Every slot is pinned, on its way or read ahead. The last kind gives way to what is wanted
    // now; the second comes free by itself.
    bool gave_way = false;
    bool may_come_free = false;
    for (Slot& slot : slots) {
      if (slot.kind == Slot::Kind::ready && slot.pins == 0 && slot.is_ahead) {
        slot.is_ahead = false;
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
  if (layer >= source.layers || out.size() < ids.size()) {
    return fail(Errc::invalid_argument, "experts of layer ", layer, " of ", source.layers,
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
  std::vector<std::uint32_t> pinned;  // slots, by id; the same one more than once where ids repeat
  pinned.reserve(ids.size());
  bool waits = false;
  for (const std::int32_t id : ids) {
    if (auto got = pin(lock, layer, static_cast<std::uint32_t>(id), pinned, waits); !got) {
      abandon(pinned);
      return got.error();
    }
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
    const auto failed = failures.find(index);
    if (failed == failures.end()) continue;
    const Error error = failed->second;
    abandon(pinned);
    return error;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out[i] = {gate_up(pinned[i]).data(), down(pinned[i]).data(), source.gate_up_bytes,
              source.down_bytes,         DS4_MEMORY_HOST,        0};
  }
  const std::uint64_t ticket = next_ticket++;
  tickets.emplace(ticket, std::move(pinned));
  return ticket;
}

std::uint64_t ExpertCache::slot_bytes(const ExpertSource& source) noexcept {
  return round_up(round_up(source.gate_up_bytes, State::kCacheLine) + source.down_bytes, kPage);
}

Result<std::unique_ptr<ExpertCache>> ExpertCache::make(ExpertSource source, std::uint64_t bytes,
                                                       std::uint32_t least, std::uint32_t readers) {
  const std::uint64_t slot = slot_bytes(source);
  const std::uint64_t all = std::uint64_t{source.layers} * source.experts;
  const std::uint64_t count = std::min(bytes / slot, all);
  if (count < std::min<std::uint64_t>(least, all)) {
    return fail(Errc::invalid_argument, "an expert cache of ", bytes, " bytes holds ", count,
                " experts of ", slot, " bytes; at least ", least, " are needed, ", least * slot,
                " bytes");
  }
  auto state = std::make_unique<State>(std::move(source), static_cast<std::uint32_t>(count));
  if (!state->arena.is_there()) {
    return fail(Errc::out_of_memory, "no memory for an expert cache of ", count * slot, " bytes");
  }
  std::unique_ptr<ExpertCache> cache(new ExpertCache(std::move(state)));
  State& own = *cache->state_;
  for (std::uint32_t i = 0; i < std::max(readers, 1U); ++i) {
    own.readers.emplace_back([&own] { own.read_experts(); });
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
  if (layer >= state_->source.layers) return;
  const std::lock_guard lock(state_->mutex);
  for (const std::int32_t id : ids) {
    const auto expert = static_cast<std::uint32_t>(id);
    if (id < 0 || expert >= state_->source.experts) continue;
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
  const auto found = state_->tickets.find(ticket);
  if (found == state_->tickets.end()) return;
  state_->unpin(found->second);
  state_->tickets.erase(found);
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
