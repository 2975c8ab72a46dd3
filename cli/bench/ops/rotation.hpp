#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "bench/ops/kernel.hpp"
#include "bench/ops/step_stand.hpp"
#include "wrap/device.hpp"

namespace ds4::bench {

/// How much memory copies of a kernel's weights and rows may take.
struct RotationLimits {
  std::uint64_t wanted = std::uint64_t{1} << 30;  ///< bytes that are gone through in turn
  std::uint64_t most = 0;                         ///< bytes of memory; 0: not known
};

/// Copies of one op, each over weights, stored rows and lists of its own, so that what one run
/// leaves in caches is no use to the next: as in a model, whose layers take turns.
class Rotation {
 public:
  /// `stand`: whose rings and pool the kernel reads; null when it reads none.
  /// Errors: out_of_memory when not even one copy fits; unsupported when the device has neither the
  /// op nor its composition; what the device reports.
  static Result<Rotation> make(std::shared_ptr<plugins::Device> device, const Kernel& kernel,
                               const BufferKeys& keys, const StepStand* stand,
                               const RotationLimits& limits);

  /// Bytes of weights and stored rows that the copies have together.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Whether memory allowed fewer copies than wanted.
  [[nodiscard]] bool is_short() const noexcept { return is_short_; }
  /// Whether the device runs the op's composition.
  [[nodiscard]] bool is_composed() const noexcept { return is_composed_; }
  /// The next `count` runs of the op, in turn.
  [[nodiscard]] std::vector<const ds4_op*> next(std::size_t count);

 private:
  struct Set {
    std::vector<plugins::Weight> weights;
    std::vector<plugins::Buffer> buffers;
    HandleMap handles;
  };
  class Maker;

  std::vector<Set> sets_;
  std::vector<plugins::Buffer> lists_;
  std::vector<plugins::Buffer> scratch_;
  std::vector<std::vector<OpCopy>> copies_;
  std::size_t turn_ = 0;
  std::uint64_t bytes_ = 0;
  bool is_short_ = false;
  bool is_composed_ = false;
};

}  // namespace ds4::bench
