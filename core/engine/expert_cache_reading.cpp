// Readers of an expert cache: threads that fill slots, those first that somebody waits for.
#include <pthread.h>

#include <algorithm>

#include "base/quiet_threads.hpp"
#include "engine/expert_cache_state.hpp"

namespace ds4 {

std::optional<std::uint32_t> ExpertCache::State::start(std::uint32_t layer, std::uint32_t expert,
                                                       bool is_ahead) {
  const std::optional<std::uint32_t> index = slots.take(layer, expert, is_ahead);
  if (!index) return std::nullopt;
  // What somebody waits for goes before what somebody may want.
  queue.insert(is_ahead ? queue.end() : queue.begin(), *index);
  work.notify_one();
  return index;
}

void ExpertCache::State::hurry(std::uint32_t index) {
  const auto queued = std::find(queue.begin(), queue.end(), index);
  if (queued == queue.end()) return;
  std::rotate(queue.begin(), queued, queued + 1);
}

bool ExpertCache::State::start_readers(std::uint32_t count) {
  readers = start_quiet_threads(count, [this](std::uint32_t i) { read_experts(i); });
  return !readers.empty();
}

/// Reads that have begun are waited for; what is only queued is dropped.
void ExpertCache::State::stop_readers() {
  {
    const std::lock_guard lock(mutex);
    stops = true;
  }
  work.notify_all();
  for (std::thread& reader : readers) reader.join();
}

void ExpertCache::State::read_experts(std::uint32_t reader) {
  pthread_setname_np(pthread_self(), "ds4:experts");
  Lock lock(mutex);
  for (;;) {
    work.wait(lock, [this] { return stops || !queue.empty(); });
    if (stops) return;
    const std::uint32_t index = queue.front();
    queue.erase(queue.begin());
    ExpertSlots::Slot& slot = slots[index];
    const std::uint32_t layer = slot.layer;
    const std::uint32_t expert = slot.expert;
    lock.unlock();
    Result<std::uint64_t> loaded = load(reader, index, layer, expert);
    lock.lock();
    ++counts.loads;
    if (loaded) {
      counts.bytes_read += *loaded;
      slot.kind = ExpertSlots::Slot::Kind::ready;
    } else {
      give_up(index, loaded.error());
    }
    changed.notify_all();
  }
}

/// Nothing may leave a reader's thread.
Result<std::uint64_t> ExpertCache::State::load(std::uint32_t reader, std::uint32_t index,
                                               std::uint32_t layer, std::uint32_t expert) noexcept {
  try {
    return source.load(reader, layer, expert, gate_up(index, layer), down(index, layer));
  } catch (...) {
    return Error{Errc::out_of_memory, "out of memory"};
  }
}

/// An expert that could not be read: whoever waits for it is told, and the next one tries again.
void ExpertCache::State::give_up(std::uint32_t index, Error error) {
  slots.forget(index);
  if (slots[index].pins > 0) {
    failures[index] = std::move(error);
  } else {
    slots.free(index);
  }
}

}  // namespace ds4
