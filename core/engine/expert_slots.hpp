#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ds4 {

/// Where the experts of a cache are, and which one gives its slot to another. Bookkeeping alone: it
/// has no memory of experts and no lock. Nothing is allocated after construction.
///
/// The victim of a full cache is the expert with the fewest uses, old uses counting less and less,
/// of equals the one used longest ago. Experts that are pinned, on their way, or foretold stay.
class ExpertSlots {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Slot {
    enum class Kind { empty, loading, ready };
    Kind kind = Kind::empty;
    std::uint32_t layer = 0;
    std::uint32_t expert = 0;
    std::uint32_t pins = 0;  ///< tickets, and acquire() calls that wait for it
    std::uint32_t uses = 0;  ///< halved now and then
    std::uint64_t last_use = 0;
    bool is_ahead = false;            ///< loaded for a prefetch, not used yet
    std::uint64_t awaited_until = 0;  ///< by the clock of uses: foretold, and not used since
  };

  ExpertSlots(std::uint64_t layers, std::uint32_t experts, std::uint32_t slots);

  [[nodiscard]] Slot& operator[](std::uint32_t index) { return slots_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  /// The slot that an expert is in, or on its way to; kNone.
  [[nodiscard]] std::uint32_t find(std::uint32_t layer, std::uint32_t expert) const {
    return places_[std::size_t{layer} * experts_ + expert];
  }

  /// A slot for an expert that is in none, which is on its way from now on; nothing when every slot
  /// has to stay. `is_ahead`: it is foretold.
  std::optional<std::uint32_t> take(std::uint32_t layer, std::uint32_t expert, bool is_ahead);
  /// Counts a use, which ends what was foretold.
  void use(std::uint32_t index);
  /// Foretells the expert of a slot.
  void await(std::uint32_t index) { slots_[index].awaited_until = clock_ + kAheadUses; }
  /// Lets one expert that is there, only because it was foretold, go when a slot is wanted; false:
  /// there is none.
  bool stop_awaiting_one();
  /// Whether an expert that nobody has pinned is on its way: its slot can be taken once it is
  /// there.
  [[nodiscard]] bool some_come_free() const;

  /// The expert could not be read. Its slot is taken by nobody before free().
  void forget(std::uint32_t index);
  void free(std::uint32_t index) { empty_.push_back(index); }

  [[nodiscard]] static std::uint64_t bytes(std::uint64_t slots, std::uint64_t experts) noexcept {
    return slots * (sizeof(Slot) + sizeof(std::uint32_t)) + experts * sizeof(std::uint32_t);
  }

 private:
  /// An expert that was read ahead stays for this many uses of others, about those of eight layers;
  /// then whoever foretold it was wrong.
  static constexpr std::uint64_t kAheadUses = 64;
  /// After this many uses per slot all counts are halved, so that what was popular can go.
  static constexpr std::uint64_t kUsesPerHalving = 16;

  [[nodiscard]] bool is_awaited(const Slot& slot) const { return slot.awaited_until > clock_; }
  [[nodiscard]] bool can_go(const Slot& slot) const {
    return slot.kind == Slot::Kind::ready && slot.pins == 0 && !is_awaited(slot);
  }
  std::optional<std::uint32_t> take_any();
  std::uint32_t& place(const Slot& slot) {
    return places_[std::size_t{slot.layer} * experts_ + slot.expert];
  }

  std::uint32_t experts_;  // of a layer
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> places_;  // slot of (layer, expert), or kNone
  std::vector<std::uint32_t> empty_;
  std::uint64_t clock_ = 0;
  std::uint64_t uses_ = 0;  // since counts were halved
};

}  // namespace ds4
