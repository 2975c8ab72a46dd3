/// What the opaque handles of the ABI are in this backend: host memory and plain records.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ds4/backend_sdk.hpp"

namespace ds4::cpu {

inline constexpr std::uint64_t kAlignment = 64;

/// Memory from the host's counted allocator where it has one, else from operator new. 64-byte
/// aligned; zero bytes give a valid block too. Throws OUT_OF_MEMORY.
std::byte* allocate(const ds4_host_api& host, std::uint64_t bytes, const char* tag);
void release(const ds4_host_api& host, std::byte* block) noexcept;

/// A packed arrangement of a weight's bytes: tiles of `rows` consecutive rows, each as long as the
/// rows are in the source. Rows of a last, incomplete tile do not occur.
struct WeightLayout {
  const char* name;
  std::uint32_t rows;  ///< of a tile
  /// Packs one tile: `source` are its rows one after another, `row_bytes` each.
  void (*pack)(const std::byte* source, std::uint64_t row_bytes, std::byte* out) noexcept;
  /// Block `block` of row `row` of a packed tile, as it was in the source.
  void (*unpack_block)(const std::byte* tile, std::uint64_t row_bytes, std::uint32_t row,
                       std::uint64_t block, std::byte* out) noexcept;
};

}  // namespace ds4::cpu

struct ds4_device {
  const ds4_host_api* host = nullptr;
  bool validates = false;  ///< DS4_DEVICE_VALIDATE: undeclared overlap is refused
  bool composes = false;   ///< option <name>.compose=on: no tier-2 op
  std::atomic<std::uint64_t> children{0};
  std::array<std::atomic<std::uint64_t>, 8> bytes_by_usage{};
  std::atomic<std::uint64_t> bytes_now{0};
  std::atomic<std::uint64_t> bytes_peak{0};
  std::atomic<std::uint64_t> ops_run{0};
  std::array<std::atomic<std::uint64_t>, 128> calls_by_op{};

  void count_bytes(std::uint32_t usage, std::uint64_t bytes) noexcept {
    bytes_by_usage[usage] += bytes;
    const std::uint64_t now = bytes_now += bytes;
    std::uint64_t peak = bytes_peak;
    while (peak < now && !bytes_peak.compare_exchange_weak(peak, now)) {
    }
  }
  void uncount_bytes(std::uint32_t usage, std::uint64_t bytes) noexcept {
    bytes_by_usage[usage] -= bytes;
    bytes_now -= bytes;
  }
};

struct ds4_buffer {
  ds4_device* device = nullptr;
  std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  std::uint32_t usage = 0;
  bool is_owned = true;  ///< false: imported host memory
};

struct ds4_stream {
  ds4_device* device = nullptr;
};

struct ds4_weight {
  ds4_device* device = nullptr;
  const std::byte* data = nullptr;  ///< rows in the source's own block format, or tiles of `layout`
  const ds4::cpu::WeightLayout* layout = nullptr;  ///< null: the source's own
  std::byte* owned = nullptr;                      ///< null when used in place
  std::uint64_t bytes = 0;
  std::uint32_t dtype = 0;
  std::uint32_t role = 0;
  std::uint32_t rank = 0;
  std::array<std::uint32_t, 4> extent{};
  std::uint32_t layer = DS4_NO_LAYER;
  bool is_streamed =
      false;  ///< experts that only the host's experts_acquire delivers; no data here

  [[nodiscard]] std::uint32_t width() const noexcept { return extent[rank - 1]; }
  /// Rows of `width` values; a rank-1 weight is one row.
  [[nodiscard]] std::uint64_t rows() const noexcept {
    std::uint64_t n = 1;
    for (std::uint32_t d = 0; d + 1 < rank; ++d) n *= extent[d];
    return n;
  }
  [[nodiscard]] std::uint64_t row_bytes() const noexcept {
    const auto shape = ds4::sdk::block_shape(dtype);
    return std::uint64_t{width()} / shape.values * shape.bytes;
  }
  /// Bytes of one expert of a weight [experts, rows, width].
  [[nodiscard]] std::uint64_t expert_bytes() const noexcept { return extent[1] * row_bytes(); }
  /// Row r of a weight that is not packed.
  [[nodiscard]] const std::byte* row(std::uint64_t r) const noexcept {
    return data + r * row_bytes();
  }
};

struct ds4_import {
  ds4_weight weight;
  bool is_in_place = false;
  struct Piece {
    std::uint64_t begin, end;
  };
  std::vector<Piece> pieces;    ///< written byte ranges: sorted, disjoint, not touching
  std::vector<std::byte> tile;  ///< a tile's source while it is packed
};
