#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/host_memory.hpp"
#include "base/result.hpp"

namespace ds4 {
/// Bytes of the weights of a model, by how they come to the device.
struct WeightMemory {
  std::uint64_t tensors = 0;
  std::uint64_t in_place = 0;          ///< the file's pages, used where they are mapped
  std::uint64_t copied = 0;            ///< on the device, in its own packing
  std::uint64_t converted = 0;         ///< on the device, in another element type
  std::uint64_t converted_source = 0;  ///< what those take in the file

  [[nodiscard]] std::uint64_t on_device() const noexcept { return copied + converted; }
};

/// KV pages of one compression ratio.
struct PageMemory {
  std::uint32_t ratio = 0;
  std::uint32_t pages = 0;
  std::uint64_t page_bytes = 0;  ///< kPageRows compressed rows of every layer of this ratio

  [[nodiscard]] std::uint64_t bytes() const noexcept { return page_bytes * pages; }
};

/// What a shadow adds (EngineOptions::shadow).
struct ShadowMemory {
  std::string device;
  bool shares_host_memory = false;
  WeightMemory weights;
  std::uint64_t in_place_shared =
      0;                        ///< of those in place: pages that the engine's device reads too
  std::uint64_t mirrors = 0;    ///< copies of rings, pages, activations, logits and step block
  std::uint64_t workspace = 0;  ///< scratch of its ops and of compositions
  std::uint64_t host = 0;       ///< what is compared, descriptors, chunks of weights

  [[nodiscard]] std::uint64_t host_bytes() const noexcept;
  [[nodiscard]] std::uint64_t device_bytes() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return host_bytes() + device_bytes(); }
};

/// Routed experts that come through a cache (docs/expert-cache.md).
struct ExpertMemory {
  std::uint64_t slot_bytes = 0;    ///< of one expert in the cache
  std::uint64_t held = 0;          ///< experts that the cache holds
  std::uint64_t all = 0;           ///< experts of the model
  std::uint64_t tensor_bytes = 0;  ///< of their tensors, of which nothing else is in memory
  bool is_forced = false;          ///< the plan chose it: all in memory would not fit

  [[nodiscard]] std::uint64_t bytes() const noexcept { return held * slot_bytes; }
};

/// What one device will hold of an engine. All figures are bytes.
struct DeviceMemory {
  std::string device;               ///< name; empty for an estimate
  std::string share;                ///< "embedding, layers 0-20"
  bool shares_host_memory = false;  ///< the device computes in the host's memory

  WeightMemory weights;
  std::uint64_t slot_bytes = 0;      ///< rings of one session
  std::uint64_t rings = 0;           ///< of all sessions
  std::uint64_t restore_points = 0;  ///< kept copies of rings; the pages they hold are in the pool
  std::vector<PageMemory> pages;     ///< by ratio, ascending
  std::uint64_t activations = 0;     ///< tensors between ops, and logits
  std::uint64_t workspace = 0;       ///< scratch of the backend's ops
  std::uint64_t step = 0;            ///< step block, page tables, sampled ids, recorded choices

  [[nodiscard]] std::uint64_t page_pool() const noexcept;
  /// Rings and pages of all sessions, and restore points.
  [[nodiscard]] std::uint64_t kv() const noexcept { return rings + restore_points + page_pool(); }
  /// All of it but the weights in place, which are pages of the file.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return weights.on_device() + kv() + activations + workspace + step;
  }
  /// Adds the figures of another device.
  DeviceMemory& operator+=(const DeviceMemory& other);
};

/// Where every byte of an engine will go, before one is taken: the sums over its devices, each
/// device, and the host. All figures are bytes.
struct MemoryPlan : DeviceMemory {
  // What it was made for.
  std::uint32_t context = 0;
  std::uint32_t sessions = 0;
  std::uint32_t prefill_rows = 0;
  std::uint32_t decode_rows = 0;
  bool is_estimate = false;  ///< no device was asked

  std::vector<DeviceMemory> devices;  ///< in the engine's order

  // On the host.
  std::uint64_t staging = 0;      ///< copies of step block and page tables, plans, weight chunks
  std::uint64_t streams = 0;      ///< what goes from one device to the next in a step
  std::uint64_t host_logits = 0;  ///< logits that a step returns
  std::uint64_t program = 0;      ///< program, libraries, vocabulary, the file's header

  std::optional<ExpertMemory> experts;  ///< nothing: they are weights like the others
  std::optional<ShadowMemory> shadow;

  /// Bytes of compressed rows that one more token takes, on average over a page.
  [[nodiscard]] double bytes_per_token() const noexcept;
  /// What the engine will hold in memory of the host, with what devices and the shadow hold that
  /// share it.
  [[nodiscard]] std::uint64_t host_bytes() const noexcept;
  /// What it will hold in memory that devices, a shadow's too, have of their own.
  [[nodiscard]] std::uint64_t device_bytes() const noexcept;
};

/// Kept free beside a need of `bytes`: what the plan may be wrong by (tests bound it by the same).
[[nodiscard]] constexpr std::uint64_t plan_headroom(std::uint64_t bytes) noexcept {
  return bytes == 0 ? 0 : bytes / 50 + (20ULL << 20);
}

/// What a plan has to fit into.
struct MemoryLimits {
  /// Memory that one device has of its own, or that several entries of the plan share because they
  /// are one device reached by several backends.
  struct Device {
    MemoryBound bound;
    std::vector<std::size_t> of;  ///< indexes of MemoryPlan::devices; their number: the shadow
  };
  HostMemory host;
  std::vector<Device> devices;  ///< those that do not share the host's; a shadow is the last
};

/// True when need and headroom are within every bound.
[[nodiscard]] bool fits(const MemoryPlan& plan, const MemoryLimits& limits);

/// Bytes that a plan may grow by and still fits the host, in all bounds. 0 when it does not fit.
[[nodiscard]] std::uint64_t host_room(const MemoryPlan& plan, const MemoryLimits& limits);

/// One line: what is needed for what, and which bound it breaks. Only for a plan that does not fit.
[[nodiscard]] std::string shortage(const MemoryPlan& plan, const MemoryLimits& limits);

/// "1.50 GiB", "20.0 MiB", "312 bytes".
[[nodiscard]] std::string memory_text(std::uint64_t bytes);

}  // namespace ds4
