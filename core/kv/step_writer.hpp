#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/session_state.hpp"
#include "plan/step_layout.hpp"

namespace ds4 {

/// The rows of one session in a step: contiguous, ascending, from the session's position on.
struct StepSegment {
  const SessionState* session = nullptr;
  std::span<const std::int32_t> tokens;        ///< -1 - k: sampled id k of the previous step
  std::span<const std::uint8_t> wants_logits;  ///< per row, 0 or 1
};

/// Fixed facts about the storage that the lists of a step address.
struct StepGeometry {
  std::uint32_t slots = 0;
  std::uint32_t window = 0;         ///< W
  std::uint32_t ring_capacity = 0;  ///< W + kRewindRows
  std::vector<RatioClass> classes;
};

/// Writes the step block of one step into `words` (layout.words long): header, row table, and every
/// list that follows from positions and sessions.
///
/// `decode` segments come first, `prefill` (may be null) behind them. Pages that the step writes
/// must be reserved. The rows must fit the layout's class: a defect of the caller otherwise.
void write_step(const StepLayout& layout, const StepGeometry& geometry,
                std::span<const StepSegment> decode, const StepSegment* prefill,
                std::uint32_t serial, std::span<std::int32_t> words);

}  // namespace ds4
