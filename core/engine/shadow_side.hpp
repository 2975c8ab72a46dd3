#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/shadow_ops.hpp"
#include "engine/weight_loader.hpp"
#include "format/dtype.hpp"
#include "model/model_file.hpp"
#include "plan/placement.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"
#include "wrap/objects.hpp"

namespace ds4 {

/// A buffer that ops of the engine read or write, by what it is for.
struct ShadowedBuffer {
  std::string_view name;
  const plugins::Buffer* buffer = nullptr;
  std::uint32_t usage = 0;  ///< DS4_USAGE_*
};

/// What an engine shows its shadow. All of it outlives the shadow.
struct ShadowSetup {
  const ModelFile* model = nullptr;
  const plugins::Stream* stream = nullptr;
  const ModelWeights* weights = nullptr;
  DeviceShare share;  ///< of the model
  std::vector<ShadowedBuffer> buffers;
  std::vector<const Plan*> plans;
  LogSink log;
  WeightProgress progress;
};

/// Bytes that go through the host at once, of each device.
inline constexpr std::uint64_t kShadowChunkBytes = 4ULL << 20;

/// The second device of a shadow: the model's weights, a copy of every buffer that ops touch, and
/// the ops of all plans over them. Allocates everything in open().
class ShadowSide {
 public:
  /// Errors: out_of_memory, what the device reports.
  static Result<std::unique_ptr<ShadowSide>> open(std::shared_ptr<plugins::Device> device,
                                                  const ShadowSetup& setup);

  /// The op of a plan as this device runs it.
  [[nodiscard]] const RepeatedOp& repeated(const ds4_op& op) const { return ops_.at(&op); }
  /// Runs copies of an op and waits. `block`: the engine's step block.
  Result<void> run(const std::vector<OpCopy>& copies, const ds4_view& block) const;

  /// Copies everything from the engine's device.
  Result<void> take_all() const;
  /// The same bytes of both devices; the spans live until the next call.
  struct Both {
    std::span<const std::byte> wanted;  ///< the shadow's
    std::span<const std::byte> got;     ///< the engine's
    [[nodiscard]] bool are_equal() const;
  };
  /// At most kShadowChunkBytes, or a row that is longer.
  Result<Both> read(const ds4_buffer* buffer, std::uint64_t offset, std::uint64_t bytes) const;
  /// Makes the shadow's bytes those that read() gave of the engine's device.
  Result<void> take(const ds4_buffer* buffer, std::uint64_t offset, const Both& read) const;
  /// From the scratch of this device.
  Result<void> read_scratch(std::uint64_t offset, std::span<std::byte> to) const;

  struct Mirror {
    std::string_view name;
    const plugins::Buffer* theirs = nullptr;
    plugins::Buffer own;
  };
  [[nodiscard]] const std::vector<Mirror>& mirrors() const noexcept { return mirrors_; }
  /// Of the engine's handles those of buffers.
  [[nodiscard]] const HandleMap& buffers() const noexcept { return buffers_; }
  [[nodiscard]] const std::unordered_map<std::uint64_t, Dtype>& weight_types() const noexcept {
    return types_;
  }

 private:
  Result<void> create(const ShadowSetup& setup);
  void map_weights(const ShadowSetup& setup);
  Result<void> prepare(const ShadowSetup& setup);
  Result<plugins::Buffer> buffer(std::uint64_t bytes, std::uint32_t usage, std::string_view what);
  [[nodiscard]] const Mirror& mirror(const ds4_buffer* theirs) const;

  std::shared_ptr<plugins::Device> device_;
  const plugins::Stream* theirs_ = nullptr;
  std::uint32_t memory_kind_ = 0;
  std::optional<plugins::Stream> stream_;
  ModelWeights weights_;
  std::vector<Mirror> mirrors_;
  std::optional<plugins::Buffer> scratch_, workspace_;
  ds4_view workspace_view_{};
  HandleMap buffers_, handles_;  // the latter of weights too
  std::unordered_map<std::uint64_t, Dtype> types_;
  std::unordered_map<const ds4_op*, RepeatedOp> ops_;
  mutable std::vector<std::byte> wanted_, got_;
};

}  // namespace ds4
