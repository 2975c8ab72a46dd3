#include "engine/expert_slots.hpp"

#include <algorithm>

namespace ds4 {
namespace {

bool is_less_wanted(const ExpertSlots::Slot& a, const ExpertSlots::Slot& b) {
  return a.uses != b.uses ? a.uses < b.uses : a.last_use < b.last_use;
}

}  // namespace

ExpertSlots::ExpertSlots(std::uint64_t layers, std::uint32_t experts, std::uint32_t slots)
    : experts_(experts), slots_(slots), places_(layers * experts, kNone) {
  empty_.reserve(slots);
  for (std::uint32_t i = slots; i > 0; --i) empty_.push_back(i - 1);
}

/// A slot for another expert, or nothing when all are in use.
std::optional<std::uint32_t> ExpertSlots::take_any() {
  if (!empty_.empty()) {
    const std::uint32_t slot = empty_.back();
    empty_.pop_back();
    return slot;
  }
  std::optional<std::uint32_t> victim;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (!can_go(slots_[i])) continue;
    if (!victim || is_less_wanted(slots_[i], slots_[*victim])) victim = i;
  }
  if (victim) place(slots_[*victim]) = kNone;
  return victim;
}

std::optional<std::uint32_t> ExpertSlots::take(std::uint32_t layer, std::uint32_t expert,
                                               bool is_ahead) {
  const std::optional<std::uint32_t> index = take_any();
  if (!index) return std::nullopt;
  Slot& slot = slots_[*index];
  slot = {Slot::Kind::loading,
          layer,
          expert,
          0,
          0,
          clock_,
          is_ahead,
          is_ahead ? clock_ + kAheadUses : 0};
  place(slot) = *index;
  return index;
}

void ExpertSlots::use(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot.last_use = ++clock_;
  slot.is_ahead = false;
  slot.awaited_until = 0;
  ++slot.uses;
  if (++uses_ < kUsesPerHalving * slots_.size()) return;
  uses_ = 0;
  for (Slot& each : slots_) each.uses /= 2;
}

bool ExpertSlots::stop_awaiting_one() {
  for (Slot& slot : slots_) {
    if (slot.kind != Slot::Kind::ready || slot.pins > 0 || !is_awaited(slot)) continue;
    slot.is_ahead = false;
    slot.awaited_until = 0;
    return true;
  }
  return false;
}

bool ExpertSlots::some_come_free() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.kind == Slot::Kind::loading && slot.pins == 0;
  });
}

void ExpertSlots::forget(std::uint32_t index) {
  Slot& slot = slots_[index];
  place(slot) = kNone;
  slot.kind = Slot::Kind::empty;
  slot.is_ahead = false;
  slot.awaited_until = 0;
}

}  // namespace ds4
