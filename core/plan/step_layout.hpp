#pragma once

#include <cstdint>
#include <vector>

#include "ds4/ops.h"
#include "model/config.hpp"

namespace ds4 {

/// Rows that a captured graph or a cached plan is made for; a step of a class may hold fewer.
struct StepClass {
  std::uint32_t decode_rows = 0;   ///< single rows and verification rows, of any sessions
  std::uint32_t prefill_rows = 0;  ///< contiguous rows of one session behind them
  std::uint32_t logits_rows = 0;   ///< rows whose logits may be asked for

  [[nodiscard]] std::uint32_t rows() const noexcept { return decode_rows + prefill_rows; }
  bool operator==(const StepClass&) const = default;
};

/// How the rows of one compression ratio are stored: what plan, KV storage and step block agree on.
struct RatioClass {
  std::uint32_t ratio = 0;
  std::uint32_t span =
      0;  ///< pairs that one compressed row pools: ratio, or 2 * ratio with overlap
  std::uint32_t pair_capacity = 0;  ///< pairs a ring holds: what an emission reads plus kRewindRows

  [[nodiscard]] bool has_overlap() const noexcept { return span != ratio; }
};

/// Tokens that a session can give back by shortening alone (architecture decision 3).
inline constexpr std::uint32_t kRewindRows = 16;
/// Rows of a page of compressed rows.
inline constexpr std::uint32_t kPageRows = 64;

/// The distinct ratios of a model's layers, ascending; at most DS4_RATIO_CLASSES.
[[nodiscard]] std::vector<RatioClass> ratio_classes(const ModelConfig& config);

/// Index of a layer's ratio in ratio_classes(); only for layers with a ratio.
[[nodiscard]] std::size_t class_of(const std::vector<RatioClass>& classes, std::uint32_t ratio);

/// Lists of the step block that follow from positions for one ratio class. All i32.
struct RatioLists {
  std::uint32_t emissions = 0;  ///< most rows that a step of this class can finish
  ds4_view visible;             ///< [rows]: compressed rows that the row may see
  ds4_view window_rows;         ///< [rows]: position mod ratio
  ds4_view pair_ids;            ///< [rows]: destination in the pair ring, -1 skips
  ds4_view emit_list;           ///< [emissions, span]: ring rows, then workspace rows
  ds4_view emit_positions;      ///< [emissions]: first position of the window
  ds4_view emit_ids;            ///< [emissions]: page row
};

/// Where everything lies in the step block of one class: the header of ops.h, the row table, the
/// lists. The block is read through these views by the ops and written by KvStore::write_step.
struct StepLayout {
  static StepLayout make(const StepClass& step_class, const std::vector<RatioClass>& classes,
                         ds4_buffer* block);

  StepClass step_class;
  std::uint64_t words = 0;
  ds4_view block;       ///< [words]
  ds4_view slots;       ///< [rows], columns of the row table {slot, position, token, flags}
  ds4_view positions;   ///< [rows]
  ds4_view tokens;      ///< [rows], -1 - k means sampled id k of the previous step
  ds4_view logits_ids;  ///< [logits_rows]: rows whose logits are wanted
  ds4_view ring_range;  ///< [rows, 2]: window rows before this step {first position, count}
  ds4_view work_range;  ///< [rows, 2]: window rows of this step {first row, count}
  ds4_view ring_ids;    ///< [rows]: destination in the window ring, -1 skips
  std::vector<RatioLists> ratios;
};

}  // namespace ds4
