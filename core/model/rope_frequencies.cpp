#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/config.hpp"

namespace ds4 {
namespace {

/// Between which pair indices YaRN goes from unscaled to fully scaled frequencies.
struct YarnRamp {
  double low;
  double high;

  explicit YarnRamp(const ModelConfig& config) {
    const double rot_dim = config.rot_dim;
    const double base = config.compress_rope_base;
    const auto context = static_cast<double>(config.yarn_original_context);
    // The pair that makes `turns` full rotations over the original context.
    const auto pair_of = [&](double turns) {
      return rot_dim * std::log(context / (2 * std::numbers::pi * turns)) / (2 * std::log(base));
    };
    low = std::max(std::floor(pair_of(static_cast<double>(config.yarn_beta_fast))), 0.0);
    high = std::min(std::ceil(pair_of(static_cast<double>(config.yarn_beta_slow))), rot_dim - 1);
    if (low == high) high += 0.001;
  }

  /// 0: as trained, 1: divided by the factor.
  [[nodiscard]] double at(double pair) const {
    return std::clamp((pair - low) / (high - low), 0.0, 1.0);
  }
};

}  // namespace

std::vector<float> rope_frequencies(const ModelConfig& config, std::uint32_t ratio) {
  const double base = ratio == 0 ? config.rope_base : config.compress_rope_base;
  const double rot_dim = config.rot_dim;
  const double factor = config.yarn_factor;
  const YarnRamp ramp(config);
  std::vector<float> out(config.rot_dim / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto pair = static_cast<double>(i);
    const double plain = std::pow(base, -2 * pair / rot_dim);
    const double share = ratio == 0 ? 0.0 : ramp.at(pair);
    out[i] = static_cast<float>(plain / factor * share + plain * (1 - share));
  }
  return out;
}

}  // namespace ds4
