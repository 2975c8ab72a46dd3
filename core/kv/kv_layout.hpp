#pragma once

#include <cstdint>
#include <vector>

#include "base/checked.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

namespace ds4 {

/// What sessions of an engine may hold.
struct KvLimits {
  std::uint32_t slots = 1;
  std::uint32_t context = 0;          ///< tokens
  std::uint32_t pages_percent = 100;  ///< pages of each pool, as a share of slots full sessions
  std::uint32_t restore_points = 0;   ///< states of all sessions that are kept to go back to
};

/// Pages of one ratio class that the first `tokens` tokens of a session fill.
[[nodiscard]] constexpr std::uint32_t pages_for(std::uint32_t tokens,
                                                std::uint32_t ratio) noexcept {
  return static_cast<std::uint32_t>(ceil_div(tokens / ratio, kPageRows));
}

/// Rows of one kind of one layer: row i lies at offset + i * row_bytes.
struct RowPlace {
  std::uint64_t offset = 0;     ///< bytes, in a slot (rings) or in the pool of the class (pages)
  std::uint64_t row_bytes = 0;  ///< 0: the layer has no such rows
  std::uint32_t capacity = 0;   ///< rows of a ring; position p lies in row p mod capacity
};

/// Where a layer keeps a session's rows.
struct LayerStorage {
  std::uint32_t ratio = 0;
  std::size_t ratio_class = 0;  ///< only with a ratio
  RowPlace ring, pairs, index_pairs;
  RowPlace pool, index_pool;
};

/// Sizes and places of all session storage, from the model's shape alone.
///
/// Rings: one allocation for all slots; a slot's rings (window rows, pairs, index pairs of every
/// layer) are contiguous. Pools: one allocation per ratio class; a page id names the same kPageRows
/// rows in every layer of the class. Everything is in the model's own row format, so a saved
/// session does not depend on the backend.
struct KvLayout {
  /// `on_device`: by layer, whether its rows lie here; empty: all do. Page ids and pages are those
  /// of the whole model, so that devices with different layers share one set of page tables.
  /// Errors: invalid_argument when a size does not fit 32-bit row indices.
  static Result<KvLayout> make(const ModelConfig& config, const Roundings& roundings,
                               const KvLimits& limits, const std::vector<bool>& on_device = {});

  /// Views of every layer over the given buffers (null to size only); `pools` by ratio class.
  [[nodiscard]] std::vector<LayerKv> views(const ModelConfig& config, ds4_buffer* rings,
                                           const std::vector<ds4_buffer*>& pools) const;
  /// [slots, pages] of a ratio class.
  [[nodiscard]] ds4_view page_table(std::size_t ratio_class, ds4_buffer* table) const;

  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return slot_bytes * limits.slots; }
  [[nodiscard]] std::uint64_t pool_bytes(std::size_t ratio_class) const noexcept;
  /// Ring copies of all restore points.
  [[nodiscard]] std::uint64_t restore_bytes() const noexcept {
    return slot_bytes * limits.restore_points;
  }
  /// What one restore point takes in all: its rings, and in each pool one page, since the session
  /// that goes on copies the page that both would write.
  [[nodiscard]] std::uint64_t restore_point_bytes() const noexcept;
  /// By layer; one that lies elsewhere has no rows and no ratio.
  [[nodiscard]] const std::vector<LayerStorage>& layers() const noexcept { return places_; }

  struct Class {
    RatioClass ratio;
    std::uint32_t pages = 0;           ///< in the pool: those of sessions, one per restore point
    std::uint32_t session_pages = 0;   ///< most that one session needs
    std::uint64_t bytes_per_page = 0;  ///< over all layers of the class
  };

  KvLimits limits;
  Roundings roundings;
  std::uint32_t ring_capacity = 0;
  std::uint64_t slot_bytes = 0;
  std::vector<Class> classes;

 private:
  std::vector<LayerStorage> places_;
};

}  // namespace ds4
