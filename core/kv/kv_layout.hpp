#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "plan/plan.hpp"

namespace ds4 {

/// What sessions of an engine may hold.
struct KvLimits {
  std::uint32_t slots = 1;
  std::uint32_t context = 0;          ///< tokens
  std::uint32_t pages_percent = 100;  ///< pages of each pool, as a share of slots full sessions
};

/// Sizes and places of all session storage, from the model's shape alone.
///
/// Rings: one allocation for all slots; a slot's rings (window rows, pairs, index pairs of every
/// layer) are contiguous. Pools: one allocation per ratio class; a page id names the same kPageRows
/// rows in every layer of the class. Everything is in the model's own row format, so a saved
/// session does not depend on the backend.
struct KvLayout {
  /// Errors: invalid_argument when a size does not fit 32-bit row indices.
  static Result<KvLayout> make(const ModelConfig& config, const Roundings& roundings,
                               const KvLimits& limits);

  /// Views of every layer over the given buffers (null to size only); `pools` by ratio class.
  [[nodiscard]] std::vector<LayerKv> views(const ModelConfig& config, ds4_buffer* rings,
                                           const std::vector<ds4_buffer*>& pools) const;
  /// [slots, pages] of a ratio class.
  [[nodiscard]] ds4_view page_table(std::size_t ratio_class, ds4_buffer* table) const;

  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return slot_bytes * limits.slots; }
  [[nodiscard]] std::uint64_t pool_bytes(std::size_t ratio_class) const noexcept;

  struct Class {
    RatioClass ratio;
    std::uint32_t pages = 0;           ///< in the pool
    std::uint32_t session_pages = 0;   ///< most that one session needs
    std::uint64_t bytes_per_page = 0;  ///< over all layers of the class
  };

  KvLimits limits;
  Roundings roundings;
  std::uint32_t ring_capacity = 0;
  std::uint64_t slot_bytes = 0;
  std::vector<Class> classes;

 private:
  struct LayerPlace {
    std::uint64_t ring = 0, pairs = 0, index_pairs = 0;  // offsets inside a slot
    std::uint64_t pool = 0, index_pool = 0;              // offsets inside the class's pool
  };
  std::vector<LayerPlace> places_;
};

}  // namespace ds4
