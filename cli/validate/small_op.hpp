#pragma once

#include <memory>
#include <vector>

#include "tests/conformance/harness/backend.hpp"

namespace ds4::validate {

/// One correct matmul with its buffers and weight on a device: what wrong calls are made from, and
/// what must still work after them.
class SmallOp {
 public:
  static Result<std::unique_ptr<SmallOp>> make(conformance::Backend& backend);
  ~SmallOp();
  SmallOp(const SmallOp&) = delete;
  SmallOp& operator=(const SmallOp&) = delete;

  static constexpr std::uint32_t kRows = 4;
  static constexpr std::uint32_t kIn = 64;
  static constexpr std::uint32_t kOut = 8;

  [[nodiscard]] const ds4_op_matmul& op() const noexcept { return op_; }
  [[nodiscard]] const ds4_view& step() const noexcept { return step_; }
  [[nodiscard]] ds4_buffer* x() const noexcept { return x_; }
  [[nodiscard]] ds4_buffer* y() const noexcept { return y_; }
  [[nodiscard]] static ds4_weight_desc weight_desc();
  [[nodiscard]] static std::vector<float> weight_values();

  /// Runs the op on the backend's stream and compares the result with a sum in double.
  Result<void> run();
  /// Compares what y holds now.
  Result<void> check();
  /// Forgets y.
  Result<void> clear();
  /// Enqueues on another stream of the same device; gives the status.
  ds4_status enqueue(ds4_stream* stream, const ds4_op* op, ds4_error* error);

 private:
  explicit SmallOp(conformance::Backend& backend) : backend_(backend) {}
  Result<void> create();
  conformance::Backend& backend_;
  ds4_op_matmul op_{};
  ds4_view step_{};
  ds4_buffer* x_ = nullptr;
  ds4_buffer* y_ = nullptr;
  ds4_buffer* block_ = nullptr;
  ds4_buffer* workspace_ = nullptr;
  ds4_view workspace_view_{};
  ds4_weight* weight_ = nullptr;
};

/// An error record for a callee to fill.
[[nodiscard]] ds4_error blank_error() noexcept;

}  // namespace ds4::validate
