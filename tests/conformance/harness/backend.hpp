#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ds4/ops.h"

namespace ds4::conformance {

/// How a backend is opened, and what its host does.
struct OpenOptions {
  std::uint32_t device = 0;
  std::uint32_t threads = 2;
  std::map<std::string, std::string, std::less<>> options;  ///< answers of get_option
  /// Allocations of the whole process so far, where the program counts them; null: unknown.
  std::uint64_t (*process_allocations)() = nullptr;
};

/// What the host was asked for, and when it is to refuse.
struct HostMemory {
  std::uint64_t calls = 0;
  std::uint64_t live = 0;       ///< blocks not given back
  std::uint64_t fail_at = 0;    ///< the number of the call that gives null; 0: none
  std::uint64_t polls = 0;      ///< questions of should_cancel
  std::uint64_t cancel_at = 0;  ///< the question from which on the answer is yes; 0: never
};

/// A backend opened through its plain C entry, with one device and one stream: what the op cases
/// run on. Not thread-safe. Everything that was created is released with it, in legal order.
class Backend {
 public:
  /// Errors: io when the file cannot be opened; unsupported without the entry, with another ABI or
  /// without the device.
  static Result<std::unique_ptr<Backend>> open(const std::filesystem::path& file,
                                               std::uint32_t device, std::uint32_t threads);
  static Result<std::unique_ptr<Backend>> open(const std::filesystem::path& file,
                                               const OpenOptions& options);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  /// "cpu-reference 0.1.0 on <device>".
  [[nodiscard]] const std::string& title() const noexcept;
  /// Alignment of view offsets, bytes.
  [[nodiscard]] std::uint64_t alignment() const noexcept;

  Result<ds4_buffer*> create_buffer(std::uint64_t bytes);
  void destroy_buffer(ds4_buffer* buffer) noexcept;
  Result<void> write(ds4_buffer* buffer, std::span<const std::byte> bytes);
  Result<void> read(const ds4_buffer* buffer, std::span<std::byte> bytes);

  /// Whether the backend takes weights of this dtype, role and shape.
  [[nodiscard]] bool accepts(const ds4_weight_desc& desc);
  /// Imports a weight in two writes, as chunks arrive from a file.
  Result<ds4_weight*> create_weight(const ds4_weight_desc& desc, std::span<const std::byte> bytes);
  /// The same in chunks of a few MiB, for weights that are larger than what they are made from.
  using Fill = std::function<void(std::uint64_t at, std::span<std::byte> out)>;
  Result<ds4_weight*> create_weight(const ds4_weight_desc& desc, const Fill& fill);
  void destroy_weight(ds4_weight* weight) noexcept;

  /// DS4_SUPPORT_*; the reason is appended to `why` when it is given.
  Result<std::uint32_t> support(const ds4_op& op, std::string* why = nullptr);
  /// Runs the ops and waits for them. The backend gets copies of the descriptors, which are
  /// overwritten as soon as enqueue returns.
  Result<void> run(std::span<const ds4_op* const> ops, const ds4_view& step);

  /// Overwrites device memory that is larger than any cache.
  Result<void> flush_caches();
  /// Bytes per second of reading memory: of the host with all threads where the device computes
  /// there, else of a copy within the device, which counts twice. The best of five.
  Result<double> read_bandwidth();

  /// The byte that the workspace is filled with before each run; nothing: it is left as it is.
  void set_workspace_fill(std::optional<std::uint8_t> fill) noexcept;
  /// Allocations inside enqueue since the last call: of the host's allocator, and of the process
  /// where they are counted.
  [[nodiscard]] std::uint64_t take_enqueue_allocations() noexcept;
  /// Called after each enqueue, on the thread that made it.
  void set_after_enqueue(std::function<void()> look);

  /// Whether the device has "ds4.graph" and takes these ops.
  [[nodiscard]] bool takes_graph(std::span<const ds4_op* const> ops);
  Result<ds4_graph*> capture(std::span<const ds4_op* const> ops, const ds4_view& step);
  /// Runs a graph and waits for it.
  Result<void> launch(ds4_graph* graph);
  void destroy_graph(ds4_graph* graph) noexcept;

  [[nodiscard]] const ds4_backend_api& api() const noexcept;
  [[nodiscard]] const ds4_device_info& info() const noexcept;
  [[nodiscard]] const ds4_host_api& host() const noexcept;
  [[nodiscard]] HostMemory& host_memory() noexcept;
  [[nodiscard]] ds4_device* device() const noexcept;
  [[nodiscard]] ds4_stream* stream() const noexcept;
  [[nodiscard]] bool has(std::uint64_t capability) const noexcept;

 private:
  struct State;
  explicit Backend(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ds4::conformance
