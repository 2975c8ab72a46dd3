#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ds4/ops.h"

namespace ds4::conformance {

/// A backend opened through its plain C entry, with one device and one stream: what the op cases
/// run on. Not thread-safe. Everything that was created is released with it, in legal order.
class Backend {
 public:
  /// Errors: io when the file cannot be opened; unsupported without the entry, with another ABI or
  /// without the device.
  static Result<std::unique_ptr<Backend>> open(const std::filesystem::path& file,
                                               std::uint32_t device, std::uint32_t threads);
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
  void destroy_weight(ds4_weight* weight) noexcept;

  /// DS4_SUPPORT_*; the reason is appended to `why` when it is given.
  Result<std::uint32_t> support(const ds4_op& op, std::string* why = nullptr);
  /// Runs the ops and waits for them.
  Result<void> run(std::span<const ds4_op* const> ops, const ds4_view& step);

 private:
  struct State;
  explicit Backend(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ds4::conformance
