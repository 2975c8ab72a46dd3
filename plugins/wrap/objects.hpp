#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "ds4/backend.h"
#include "wrap/handle.hpp"

namespace ds4::plugins {

struct DestroyBuffer {
  static void release(Device& device, ds4_buffer* buffer) noexcept;
};
struct DestroyStream {
  static void release(Device& device, ds4_stream* stream) noexcept;
};
struct DestroyEvent {
  static void release(Device& device, ds4_event* event) noexcept;
};
struct DestroyWeight {
  static void release(Device& device, ds4_weight* weight) noexcept;
};
struct AbortImport {
  static void release(Device& device, ds4_import* import) noexcept;
};
struct DestroyGraph {
  static void release(Device& device, ds4_graph* graph) noexcept;
};

/// Memory of a device. Thread: any, while no stream works on it.
class Buffer : public Handle<ds4_buffer, DestroyBuffer> {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<Device> device, ds4_buffer* buffer, std::uint64_t bytes) noexcept
      : Handle(std::move(device), buffer), bytes_(bytes) {}
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// Host address of a host-visible buffer, valid until unmap(). Errors: unsupported.
  Result<void*> map() const;
  void unmap() const noexcept;

 private:
  std::uint64_t bytes_ = 0;
};

class Event;

/// An in-order queue of a device; used by one thread at a time.
class Stream : public Handle<ds4_stream, DestroyStream> {
 public:
  using Handle::Handle;

  /// Host memory must stay valid until the stream has passed the copy. Offsets in bytes.
  Result<void> write(const Buffer& to, std::uint64_t offset, std::span<const std::byte> from) const;
  Result<void> read(const Buffer& from, std::uint64_t offset, std::span<std::byte> to) const;
  Result<void> copy(const Buffer& to, std::uint64_t to_offset, const Buffer& from,
                    std::uint64_t from_offset, std::uint64_t bytes) const;
  Result<void> fill(const Buffer& to, std::uint64_t offset, std::uint64_t bytes,
                    std::uint8_t value) const;
  /// Waits; gives the first error of the work of this stream, with op id and tag.
  Result<void> sync() const;
  /// Runs the ops of the submission in stream order. struct_size is filled in here.
  Result<void> enqueue(ds4_submission submission) const;
  /// Later work waits for `event`. Errors: unsupported without DS4_CAP_EVENTS.
  Result<void> wait(const Event& event) const;
};

/// A point in a stream.
class Event : public Handle<ds4_event, DestroyEvent> {
 public:
  using Handle::Handle;
  Result<void> record(const Stream& stream) const;
  /// True when the work before it has finished.
  Result<bool> finished() const;
  Result<void> wait() const;
};

/// A packed weight; never changes.
class Weight : public Handle<ds4_weight, DestroyWeight> {
 public:
  using Handle::Handle;
  /// The packed bytes, for a cache. Errors: unsupported without DS4_CAP_REPACK_CACHE.
  Result<std::vector<std::byte>> export_packed() const;
};

/// A weight that is being written; given up when it goes without finish(). One thread at a time.
class WeightImport : public Handle<ds4_import, AbortImport> {
 public:
  using Handle::Handle;
  Result<void> write(std::uint64_t offset, std::span<const std::byte> from) const;
  /// Checks that everything was written. The import is empty afterwards, whatever the outcome.
  Result<Weight> finish();
};

/// A captured submission that runs again for any step of its class.
class Graph : public Handle<ds4_graph, DestroyGraph> {
 public:
  using Handle::Handle;
  Result<void> launch(const Stream& stream) const;
};

}  // namespace ds4::plugins
