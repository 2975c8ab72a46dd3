#include "tests/conformance/harness/bounds.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

namespace ds4::conformance {

double norm2(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

double norm2(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

double max_abs(std::span<const float> x) {
  double largest = 0;
  for (const float value : x) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

std::vector<std::int32_t> largest(std::span<const float> x, std::size_t k) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isinf(x[i]) || x[i] > 0) ids.push_back(static_cast<std::int32_t>(i));
  }
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
    const float left = x[static_cast<std::size_t>(a)];
    const float right = x[static_cast<std::size_t>(b)];
    return std::isnan(right) ? !std::isnan(left) : left > right;
  });
  ids.resize(k, -1);
  return ids;
}

std::function<double(std::size_t, std::size_t)> per_row(
    std::function<std::vector<double>(std::size_t row)> make) {
  auto known = std::make_shared<std::map<std::size_t, std::vector<double>>>();
  return [make = std::move(make), known](std::size_t row, std::size_t column) {
    auto at = known->find(row);
    if (at == known->end()) at = known->emplace(row, make(row)).first;
    return at->second.size() == 1 ? at->second[0] : at->second[column];
  };
}

double fp8_step(double value, double row_max) {
  // Normal codes are at most an eighth apart; subnormal ones 2^-9 scales, a scale is at most
  // 2 * max(amax, 1e-4) / 448.
  const double scale = 2 * std::max(row_max, 1e-4) / 448;
  return std::max(std::abs(value) / 8, scale * 0x1p-8);
}

double fp4_step(double value, double row_max) {
  // Codes 0 .5 1 1.5 2 3 4 6: half of the larger neighbour or half a scale.
  const double scale = 2 * row_max / 6;
  return std::max(std::abs(value) / 2, scale);
}

double bf16_step(double value) {
  return std::abs(value) * 0x1p-7;
}

ds4_rope rope(std::uint32_t dims, bool is_yarn, bool is_inverse) {
  ds4_rope result{};
  result.dims = dims;
  result.flags = (is_yarn ? DS4_ROPE_YARN : 0U) | (is_inverse ? DS4_ROPE_INVERSE : 0U);
  result.base = is_yarn ? 160000 : 10000;
  if (is_yarn) {
    result.original_context = 65536;
    result.factor = 16;
    result.beta_fast = 32;
    result.beta_slow = 1;
  }
  return result;
}

std::vector<std::int32_t> positions(Case& c, std::uint32_t rows) {
  constexpr std::int32_t kAnchors[] = {0, 65535, 1048560, 127, 4095};
  std::vector<std::int32_t> result;
  for (std::uint32_t i = 0; i < rows; ++i) {
    const std::int32_t anchor = kAnchors[i % std::size(kAnchors)];
    result.push_back(anchor + static_cast<std::int32_t>(c.random().below(16)));
  }
  return result;
}

}  // namespace ds4::conformance
