#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/op_outputs.hpp"
#include "kv/kv_store.hpp"
#include "plan/step_layout.hpp"

namespace ds4 {

/// One step as the host wrote it: what tells to whom a row belongs.
struct StepFacts {
  const StepLayout* layout = nullptr;
  std::span<const std::int32_t> words;
  const KvStore* store = nullptr;
  std::uint32_t slots = 0;

  /// Entry `index` of a list of the step block; nothing for a list that lies elsewhere or ends
  /// before.
  [[nodiscard]] std::optional<std::int32_t> entry(const ds4_view& list, std::uint64_t index) const;
};

/// Whose row it is; nothing for padding, and for stored rows that the step does not write.
struct RowOwner {
  std::optional<std::uint32_t> session;
  std::optional<std::uint32_t> position;  ///< of a compressed row: the first that it stands for
};

[[nodiscard]] RowOwner owner_of(const ds4_op& op, const OpOutput& output, std::uint64_t row,
                                const StepFacts& step);

}  // namespace ds4
