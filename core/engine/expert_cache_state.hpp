#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/anonymous_pages.hpp"
#include "base/checked.hpp"
#include "engine/expert_cache.hpp"
#include "engine/expert_slots.hpp"

namespace ds4 {

/// What an expert cache is made of. Two sides share it under one lock: callers, who foretell, pin
/// and let go (expert_cache.cpp), and readers, who fill slots (expert_cache_reading.cpp).
struct ExpertCache::State {
  static constexpr std::uint32_t kNone = ExpertSlots::kNone;
  static constexpr std::uint64_t kCacheLine = 64;
  using Lock = std::unique_lock<std::mutex>;

  State(ExpertSource from, std::uint32_t count)
      : source(std::move(from)),
        stride(slot_bytes(source.layers)),
        pages(std::size_t{count} * stride),
        slots(source.layers.size(), source.experts, count),
        failures(count) {
    queue.reserve(count);
  }

  [[nodiscard]] std::span<std::byte> gate_up(std::uint32_t slot, std::uint32_t layer) const {
    return {pages.data() + std::size_t{slot} * stride, source.layers[layer].gate_up};
  }
  [[nodiscard]] std::span<std::byte> down(std::uint32_t slot, std::uint32_t layer) const {
    const std::span<std::byte> before = gate_up(slot, layer);
    return {before.data() + round_up(before.size(), kCacheLine), source.layers[layer].down};
  }

  // expert_cache.cpp: callers.
  void prefetch(std::uint32_t layer, std::span<const std::int32_t> ids);
  Result<std::uint64_t> acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                std::span<ds4_expert_view> out);
  void release(std::uint64_t ticket) noexcept;

  // expert_cache_reading.cpp: readers, and what callers ask of them.
  /// As many of `count` as the system gives; false: none.
  bool start_readers(std::uint32_t count);
  void stop_readers();
  /// Has the expert loaded into a free slot; nothing when there is none.
  std::optional<std::uint32_t> start(std::uint32_t layer, std::uint32_t expert, bool is_ahead);
  /// What was only foretold is waited for now.
  void hurry(std::uint32_t index);

  ExpertSource source;
  std::uint64_t stride;             // of a slot
  AnonymousPages pages;             // filled as experts come
  std::mutex mutex;                 // guards everything below
  std::condition_variable work;     // for readers: the queue, or the end
  std::condition_variable changed;  // for acquire(): an expert is there, or a slot is free
  ExpertSlots slots;
  std::vector<std::optional<Error>> failures;  // by slot, while somebody waits
  std::vector<std::uint32_t> queue;            // slots to load, the next one first
  struct Ticket {
    std::uint64_t id;
    std::vector<std::uint32_t> pinned;
  };
  std::vector<Ticket> tickets;
  std::vector<std::vector<std::uint32_t>> spare;  // lists of tickets that were released
  std::uint64_t next_ticket = 1;
  ExpertCacheCounts counts;
  bool stops = false;
  std::vector<std::thread> readers;

 private:
  // expert_cache.cpp
  [[nodiscard]] Result<void> check(std::uint32_t layer, std::span<const std::int32_t> ids,
                                   std::size_t room) const;
  std::vector<std::uint32_t> spare_list();
  std::uint32_t pin_there(std::uint32_t at, bool& waits);
  Result<std::uint32_t> pin(Lock& lock, std::uint32_t layer, std::uint32_t expert, bool& waits);
  Result<void> pin_all(Lock& lock, std::uint32_t layer, std::span<const std::int32_t> ids,
                       std::vector<std::uint32_t>& pinned, bool& waits);
  void let_go(std::span<const std::uint32_t> pinned) noexcept;

  // expert_cache_reading.cpp
  void read_experts(std::uint32_t reader);
  Result<std::uint64_t> load(std::uint32_t reader, std::uint32_t index, std::uint32_t layer,
                             std::uint32_t expert) noexcept;
  void give_up(std::uint32_t index, Error error);
};

}  // namespace ds4
