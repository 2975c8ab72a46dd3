#pragma once

#include <cstdint>

#include "model/model_file.hpp"
#include "plan/plan.hpp"

namespace ds4::bench {

/// Bytes that a token has to move, and with a bandwidth the speed that this allows: the ceiling of
/// any program that reads every byte of weights from memory. Source: performance.md 1.2 to 1.6.
class Roofline {
 public:
  Roofline(const ModelFile& model, const Roundings& roundings);

  /// Weights and rows that decoding the token at the end of `context` tokens reads. While all
  /// compressed rows are chosen anyway the query of the indexer is not counted.
  [[nodiscard]] std::uint64_t decode_bytes(std::uint32_t context) const;

  /// Weights that evaluating `tokens` tokens at once reads: everything but the head once, and of
  /// the routed experts as many as that many tokens choose on average. Compute is not in it: where
  /// that is the limit, the ratio to this ceiling says little.
  [[nodiscard]] double prefill_bytes(std::uint32_t tokens) const;

 private:
  const ModelConfig* config_;
  Roundings roundings_;
  std::uint64_t weights_ = 0;      // of a token
  std::uint64_t index_query_ = 0;  // of them, what short contexts do not need
  std::uint64_t head_ = 0;
  std::uint64_t routed_ = 0;  // of a token, over all layers
};

}  // namespace ds4::bench
