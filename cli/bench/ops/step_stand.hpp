#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bench/ops/kernel.hpp"
#include "kv/kv_layout.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"

namespace ds4::bench {

/// One layer of a model with the embedding and the head, at the end of a context: the plan of a
/// step of `rows` rows, and the buffers that its ops run over. Weights and stored rows are not
/// there yet: the plan names them by their keys.
class StepStand {
 public:
  /// `config` has one layer; `weights` are its handles and those outside the layers.
  static Result<std::unique_ptr<StepStand>> make(std::shared_ptr<plugins::Device> device,
                                                 const ModelConfig& config,
                                                 const Roundings& roundings,
                                                 const WeightTable& weights, std::uint32_t rows,
                                                 std::uint32_t context, const BufferKeys& keys);

  [[nodiscard]] const Plan& plan() const noexcept { return *plan_; }
  [[nodiscard]] const ModelConfig& config() const noexcept { return config_; }
  [[nodiscard]] std::uint32_t context() const noexcept { return context_; }
  /// Tokens before the step.
  [[nodiscard]] std::uint32_t position() const noexcept { return context_ - rows_; }
  [[nodiscard]] const ds4_view& block() const noexcept { return plan_->step().block; }

  [[nodiscard]] std::uint64_t ring_bytes() const noexcept { return kv_.ring_bytes(); }
  [[nodiscard]] std::uint64_t pool_bytes() const noexcept {
    return kv_.classes.empty() ? 0 : kv_.pool_bytes(0);
  }
  /// Fills rings and pool of the given buffers with random rows, encoded by the device.
  Result<void> fill_rows(ds4_buffer* rings, ds4_buffer* pool) const;

  /// Rows of the step that an op takes.
  [[nodiscard]] std::uint32_t rows_of(const ds4_op& op) const noexcept;
  /// Everything that an op moves and multiplies but its weights, and but list entries of stored
  /// rows, of which `listed` different ones are read.
  [[nodiscard]] OpCost cost_of(const ds4_op& op, double listed) const;

 private:
  StepStand() = default;
  Result<void> create(const WeightTable& weights, const BufferKeys& keys);
  Result<void> write_block();
  Result<void> prepare();
  Result<void> run(std::span<const ds4_op* const> ops) const;
  [[nodiscard]] OpCost attention_cost(const ds4_op_attention& op, double listed) const;
  /// Compressed rows that the rows of the step see, added up.
  [[nodiscard]] double entries() const;
  [[nodiscard]] std::uint32_t ratio() const noexcept { return config_.ratio(0); }

  std::shared_ptr<plugins::Device> device_;
  ModelConfig config_;
  Roundings roundings_;
  std::uint32_t rows_ = 0;
  std::uint32_t context_ = 0;
  std::uint32_t memory_ = 0;
  std::vector<RatioClass> classes_;
  KvLayout kv_;
  std::optional<plugins::Stream> stream_;
  std::optional<plugins::Buffer> arena_, block_, table_, sampled_, logits_, noise_;
  std::optional<Plan> plan_;
};

/// Fills a buffer with normal values, f32.
Result<void> fill_with_noise(const plugins::Stream& stream, const plugins::Buffer& buffer);

}  // namespace ds4::bench
