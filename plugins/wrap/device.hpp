#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "ds4/backend.h"
#include "wrap/backend.hpp"
#include "wrap/objects.hpp"

namespace ds4::plugins {

/// DS4_SUPPORT_*.
enum class SupportLevel : std::uint32_t { no = 0, slow = 1, native = 2 };

struct OpSupport {
  SupportLevel level = SupportLevel::no;
  std::string reason;  ///< for no and slow
};

/// An open device. Objects made on it hold a reference, so it closes after the last of them.
/// Thread: creating functions from any thread at once.
class Device : public std::enable_shared_from_this<Device> {
 public:
  Device(std::shared_ptr<Backend> backend, std::uint32_t index, ds4_device_info info,
         ds4_device* device) noexcept;
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const ds4_device_info& info() const noexcept { return info_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] bool has(std::uint64_t capability) const noexcept {
    return (info_.capabilities & capability) == capability;
  }
  /// The row of the memory-kind table, or null when the device has no memory of that kind.
  [[nodiscard]] const ds4_memory_kind* memory_kind(std::uint32_t kind) const noexcept;
  /// Whether what it takes is taken from the host: a processor, or a card of unified memory.
  [[nodiscard]] bool uses_host_memory() const noexcept {
    return has(DS4_CAP_UNIFIED_MEMORY) || memory_kind(DS4_MEMORY_DEVICE) == nullptr;
  }
  [[nodiscard]] Backend& backend() const noexcept { return *backend_; }
  [[nodiscard]] const ds4_backend_api& api() const noexcept { return backend_->api(); }
  [[nodiscard]] ds4_device* handle() const noexcept { return device_; }
  /// The extension "ds4.graph", or null.
  [[nodiscard]] const ds4_graph_api* graph_api() const noexcept { return graph_; }

  /// memory_kind: DS4_MEMORY_*; usage: DS4_USAGE_*. Zero bytes are legal; content is undefined.
  Result<Buffer> create_buffer(std::uint64_t bytes, std::uint32_t memory_kind, std::uint32_t usage);
  /// Wraps page-aligned host memory that outlives the buffer. Errors: unsupported.
  Result<Buffer> import_host(std::span<std::byte> memory, std::uint32_t usage);
  Result<Stream> create_stream();
  /// Errors: unsupported without DS4_CAP_EVENTS.
  Result<Event> create_event();

  /// What importing such a weight would take. struct_size of `desc` is filled in here.
  Result<ds4_weight_answer> weight_query(ds4_weight_desc desc) const;
  /// flags: DS4_IMPORT_*.
  Result<WeightImport> begin_import(ds4_weight_desc desc, std::uint32_t flags = 0);
  /// From bytes that Weight::export_packed() gave on an equal build. Errors: unsupported.
  Result<Weight> import_packed(ds4_weight_desc desc, std::span<const std::byte> packed);
  /// Whether pack_expert() is there at all.
  [[nodiscard]] bool packs_experts() const noexcept { return api().weight_pack_expert != nullptr; }
  /// Packs one expert of a streamed weight; `to` holds the packed bytes that weight_query() named.
  /// Thread: any. Errors: unsupported.
  Result<void> pack_expert(ds4_weight_desc desc, std::uint32_t expert, const void* from,
                           void* to) const;

  /// Asked at plan time; views may have null buffers. An unsupported op is an answer, no error.
  Result<OpSupport> op_support(const ds4_op& op) const;
  /// Bytes of scratch that these ops need at most.
  Result<std::uint64_t> workspace_size(std::span<const ds4_op* const> ops) const;

  [[nodiscard]] bool graph_supported(std::span<const ds4_op* const> ops) const noexcept;
  /// Errors: unsupported without the extension; a failed capture is no reason to stop: enqueue.
  Result<Graph> capture(const Stream& stream, ds4_submission submission);

  /// Errors: unsupported when the backend keeps no statistics.
  Result<ds4_stats> stats() const;
  /// Gives unused memory back; success when the backend has nothing to trim.
  Result<void> trim() const;

  /// The Error of a call that failed on this device; for the classes of objects.hpp.
  [[nodiscard]] Result<void> outcome(ds4_status status, const ds4_error& record,
                                     std::string_view function) const;

 private:
  std::shared_ptr<Backend> backend_;
  std::uint32_t index_;
  ds4_device_info info_;
  ds4_device* device_;
  const ds4_graph_api* graph_ = nullptr;
};

}  // namespace ds4::plugins
