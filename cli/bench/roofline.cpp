#include "bench/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "kv/rows_read.hpp"
#include "model/traffic.hpp"

namespace ds4::bench {

Roofline::Roofline(const ModelFile& model, const Roundings& roundings)
    : config_(&model.config()), roundings_(roundings) {
  for (const TrafficRow& row : decode_traffic(model)) {
    weights_ += row.bytes;
    if (row.component == "indexer q_b" || row.component == "indexer weights") {
      index_query_ += row.bytes;
    }
    if (row.component == "output head") head_ += row.bytes;
    if (row.component.starts_with("routed")) routed_ += row.bytes;
  }
}

std::uint64_t Roofline::decode_bytes(std::uint32_t context) const {
  std::uint32_t least = 0;  // the ratio of the sparse layers
  for (std::uint32_t layer = 0; layer < config_->layers; ++layer) {
    if (config_->kind(layer) == LayerKind::sparse) least = config_->ratio(layer);
  }
  const bool chooses = least != 0 && context / least > config_->index_top_k;
  return weights_ - (chooses ? 0 : index_query_) + rows_read_bytes(*config_, roundings_, context);
}

double Roofline::prefill_bytes(std::uint32_t tokens) const {
  const double experts = config_->experts;
  const double used = config_->experts_used;
  // Uniform routing; several ids may stand for one stored expert.
  const double chosen = experts * (1 - std::pow(1 - used / experts, tokens));
  const double distinct = std::min(chosen, static_cast<double>(config_->stored()));
  const double one_expert = static_cast<double>(routed_) / used;
  return static_cast<double>(weights_ - head_ - routed_) + distinct * one_expert;
}

}  // namespace ds4::bench
