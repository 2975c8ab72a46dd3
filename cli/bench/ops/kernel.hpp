#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/shadow_ops.hpp"
#include "ops/op_cost.hpp"

namespace ds4::bench {

/// A weight of the shape that an op needs. Until it is on the device the op names it by the address
/// of this object, so that each copy of the op can be given another one.
struct ShapedWeight {
  ds4_weight_desc desc{};  ///< `name` points into `name` below
  std::string name;
  std::uint32_t id_limit = 0;  ///< tables of ids: one past the largest

  [[nodiscard]] const ds4_weight* handle() const noexcept {
    return reinterpret_cast<const ds4_weight*>(this);
  }
};
/// Addresses stay.
using WeightShapes = std::deque<ShapedWeight>;

/// What stands for buffers that each copy of an op has of its own.
struct BufferKeys {
  char rings = 0;
  char pool = 0;
  char list = 0;
  [[nodiscard]] static ds4_buffer* handle(const char& key) noexcept {
    return reinterpret_cast<ds4_buffer*>(const_cast<char*>(&key));
  }
};

/// One line of the table: an op, and what it is run over.
struct Kernel {
  explicit Kernel(const ds4_op& what) : op(what) {}

  std::string name;
  std::string shape;
  std::string types;
  std::uint32_t rows = 1;
  std::uint32_t context = 0;
  OpCopy op;  ///< over ShapedWeight::handle() and BufferKeys::handle()
  std::vector<const ShapedWeight*> weights;
  bool reads_rows = false;  ///< rings and pool rotate
  /// Chosen experts or stored rows, [rows, k] each, taken in turn; empty: the op has no such list.
  std::vector<std::vector<std::int32_t>> lists;
  OpCost cost;
};

/// "32768x1024": extents, outermost first.
[[nodiscard]] std::string extents_text(const std::uint32_t* extents, std::uint32_t rank);
/// The matrices of a kernel: "1024x4096+32768x1024", and their types, each once: "iq2_xxs+q2_k".
[[nodiscard]] std::string matrices_text(const std::vector<const ShapedWeight*>& weights);
[[nodiscard]] std::string types_text(const std::vector<const ShapedWeight*>& weights);

/// `count` lists of `rows` times `k` ids below `limit`, different ones in a row while there are
/// enough; `ascending` in each row, and -1 behind the last where k is more than `limit`.
[[nodiscard]] std::vector<std::vector<std::int32_t>> draw_lists(std::uint32_t count,
                                                                std::uint32_t rows, std::uint32_t k,
                                                                std::uint32_t limit,
                                                                bool ascending);
/// Different ids of a list, on average over the lists; -1 is none.
[[nodiscard]] double distinct_ids(const std::vector<std::vector<std::int32_t>>& lists);

}  // namespace ds4::bench
