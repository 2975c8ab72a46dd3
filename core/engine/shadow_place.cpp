#include "engine/shadow_place.hpp"

#include <algorithm>

namespace ds4 {
namespace {

const ds4_range& range_of(const ds4_op& op) {
  return *reinterpret_cast<const ds4_range*>(&op + 1);  // second member of every op
}

/// The ratio class whose finished rows an op goes over.
std::optional<std::size_t> emission_class(const ds4_op& op, const StepFacts& step) {
  const std::uint32_t slot = range_of(op).count_slot;
  if (slot < DS4_STEP_EMISSIONS || slot >= DS4_STEP_EMISSIONS + step.layout->ratios.size()) {
    return std::nullopt;
  }
  return slot - DS4_STEP_EMISSIONS;
}

RowOwner owner_of_step_row(std::uint64_t row, const StepFacts& step) {
  if (row >= static_cast<std::uint64_t>(step.words[DS4_STEP_ROWS])) return {};
  RowOwner owner;
  if (const auto slot = step.entry(step.layout->slots, row)) {
    owner.session = static_cast<std::uint32_t>(*slot);
  }
  if (const auto position = step.entry(step.layout->positions, row)) {
    owner.position = static_cast<std::uint32_t>(*position);
  }
  return owner;
}

/// Whoever holds the page that the finished row is written to.
RowOwner owner_of_emission(std::size_t ratio_class, std::uint64_t emission, const StepFacts& step) {
  const std::size_t word = DS4_STEP_EMISSIONS + ratio_class;
  if (emission >= static_cast<std::uint64_t>(step.words[word])) return {};
  const RatioLists& lists = step.layout->ratios[ratio_class];
  RowOwner owner;
  if (const auto position = step.entry(lists.emit_positions, emission)) {
    owner.position = static_cast<std::uint32_t>(*position);
  }
  const auto id = step.entry(lists.emit_ids, emission);
  if (!id || *id < 0) return owner;
  const std::uint32_t page = static_cast<std::uint32_t>(*id) / kPageRows;
  for (std::uint32_t slot = 0; slot < step.slots; ++slot) {
    const SessionState* const session = step.store->find(slot);
    if (session == nullptr) continue;
    const std::vector<std::uint32_t>& pages = session->pages[ratio_class];
    if (std::find(pages.begin(), pages.end(), page) != pages.end()) owner.session = slot;
  }
  return owner;
}

/// The list that names where each row of an op is stored.
const ds4_view* destinations_of(const ds4_op& op) {
  switch (op.id) {
    case DS4_OP_SCATTER_ROWS:
    case DS4_OP_KV_COMMIT:
    case DS4_OP_COMPRESS_COMMIT:
      return &reinterpret_cast<const ds4_op_scatter_rows&>(op).ids;
    case DS4_OP_COMPRESS_EMIT:
      return &reinterpret_cast<const ds4_op_compress_emit&>(op).ids;
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<std::int32_t> StepFacts::entry(const ds4_view& list, std::uint64_t index) const {
  if (list.rank == 0 || list.buffer != layout->block.buffer || index >= list.extent[0]) return {};
  const std::uint64_t word = (list.offset + index * list.stride[0]) / sizeof(std::int32_t);
  if (word >= words.size()) return {};
  return words[word];
}

RowOwner owner_of(const ds4_op& op, const OpOutput& output, std::uint64_t row,
                  const StepFacts& step) {
  const std::optional<std::size_t> finished = emission_class(op, step);
  if (output.is_stored) {
    const ds4_view* const ids = destinations_of(op);
    for (std::uint64_t i = 0; ids != nullptr && i < ids->extent[0]; ++i) {
      const auto id = step.entry(*ids, i);
      if (!id || *id < 0 || static_cast<std::uint64_t>(*id) != row) continue;
      const RowOwner owner =
          finished ? owner_of_emission(*finished, i, step) : owner_of_step_row(i, step);
      if (owner.position) return owner;
    }
    return {};
  }
  if (finished) return owner_of_emission(*finished, row, step);
  if (range_of(op).count_slot == DS4_STEP_LOGITS_ROWS) {
    const auto from = step.entry(step.layout->logits_ids, row);
    return from && *from >= 0 ? owner_of_step_row(static_cast<std::uint64_t>(*from), step)
                              : RowOwner{};
  }
  return owner_of_step_row(row + output.view.first_row, step);
}

}  // namespace ds4
