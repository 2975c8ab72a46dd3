#include "engine/op_compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <set>

#include "ops/views.hpp"

namespace ds4 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Difference {
  double relative = 0;
  double flips = 0;    ///< share of values beyond a float path
  double largest = 0;  ///< largest difference, relative to the row's largest value
  std::size_t value = 0;
};

Difference difference_of(std::span<const float> wanted, std::span<const float> got) {
  double squares = 0;
  double norm = 0;
  double top = 0;
  for (const float value : wanted) {
    if (std::isfinite(value)) top = std::max(top, std::abs(static_cast<double>(value)));
  }
  Difference result;
  std::size_t flips = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto w = static_cast<double>(wanted[i]);
    const auto g = static_cast<double>(got[i]);
    if (w == g || (std::isnan(w) && std::isnan(g))) {
      if (std::isfinite(w)) norm += w * w;
      continue;
    }
    if (!std::isfinite(w) || !std::isfinite(g)) return {kInfinity, 1, kInfinity, i};
    const double difference = std::abs(w - g);
    squares += difference * difference;
    norm += w * w;
    const double relative = top > 0 ? difference / top : difference;
    if (relative > result.largest) {
      result.largest = relative;
      result.value = i;
    }
    if (difference > kSingleLimit * top) ++flips;
  }
  result.flips =
      wanted.empty() ? 0 : static_cast<double>(flips) / static_cast<double>(wanted.size());
  if (squares > 0) {
    // Beside values that vanish a distance has no relative size.
    result.relative = norm > 0 ? std::sqrt(squares / norm) : std::sqrt(squares);
  }
  return result;
}

}  // namespace

OutputComparison::OutputComparison(const OpOutput& output, double tolerance_scale)
    : nearness_(output.nearness),
      dtype_(output.view.dtype),
      rows_(output),
      scale_(tolerance_scale) {
  worst_.limit = nearness_ == Nearness::exact ? 0 : kSingleLimit * scale_;
}

std::vector<float> OutputComparison::values(std::span<const std::byte> row) const {
  return rows_.values(row.data());
}

void OutputComparison::add(std::uint64_t row, std::span<const std::byte> wanted,
                           std::span<const std::byte> got, std::optional<std::uint32_t> count) {
  if (std::memcmp(wanted.data(), got.data(), rows_.bytes()) == 0) return;
  if (nearness_ == Nearness::exact) return add_exact(row, wanted, got);
  std::vector<float> w = values(wanted);
  std::vector<float> g = values(got);
  if (count) {
    w.resize(std::min<std::size_t>(w.size(), *count));
    g.resize(w.size());
  }
  const Difference found = difference_of(w, g);
  const bool is_rounded = nearness_ == Nearness::rounded;
  const double single = kSingleLimit * scale_;
  const double reduced = (is_rounded ? kReducedCodesLimit : kReducedLimit) * scale_;
  const bool may_reduce = is_rounded || nearness_ == Nearness::product;
  const bool is_float =
      is_rounded
          ? found.flips <= std::max(kFlipLimit, 2.5 / static_cast<double>(w.size())) * scale_ &&
                found.largest <= 0.5
          : found.relative <= single;
  const bool is_reduced = !is_float && may_reduce && found.relative <= reduced;
  is_reduced_ = is_reduced_ || is_reduced;

  RowDistance distance;
  distance.row = row;
  distance.error = found.relative;
  distance.limit = is_rounded || (!is_float && may_reduce) ? reduced : single;
  if (!w.empty()) {
    distance.value = found.value;
    distance.wanted = static_cast<double>(w[found.value]);
    distance.got = static_cast<double>(g[found.value]);
  }
  if (distance.error > worst_.error) worst_ = distance;
  const bool is_wrong = !is_float && !is_reduced;
  if (is_wrong && (!wrong_ || distance.error > wrong_->error)) wrong_ = distance;
}

void OutputComparison::add_exact(std::uint64_t row, std::span<const std::byte> wanted,
                                 std::span<const std::byte> got) {
  RowDistance distance;
  distance.row = row;
  if (dtype_ == DS4_DTYPE_I32) {
    const std::vector<std::int32_t> w = rows_.ids(wanted.data());
    const std::vector<std::int32_t> g = rows_.ids(got.data());
    const auto at = std::mismatch(w.begin(), w.end(), g.begin());
    if (at.first == w.end()) return;  // what differs lies between the values
    distance.value = static_cast<std::uint64_t>(at.first - w.begin());
    distance.wanted = *at.first;
    distance.got = *at.second;
  } else {
    const std::vector<float> w = values(wanted);
    const std::vector<float> g = values(got);
    const auto is_same = [](float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; };
    const auto at = std::mismatch(w.begin(), w.end(), g.begin(), is_same);
    // Two encodings of the same values are not the same stored row either.
    if (at.first == w.end() && element_bytes(dtype_) != 0) return;
    distance.value = at.first == w.end() ? 0 : static_cast<std::uint64_t>(at.first - w.begin());
    distance.wanted = static_cast<double>(w[distance.value]);
    distance.got = static_cast<double>(g[distance.value]);
  }
  distance.error = kInfinity;
  if (!wrong_) wrong_ = worst_ = distance;
}

double choice_margin(std::span<const std::int32_t> wanted, std::span<const std::int32_t> got,
                     const ChoiceScore& score) {
  if (std::equal(wanted.begin(), wanted.end(), got.begin(), got.end())) return 0;
  const std::set<std::int32_t> a(wanted.begin(), wanted.end());
  const std::set<std::int32_t> b(got.begin(), got.end());
  if (a == b) {
    double margin = 0;
    for (std::size_t i = 0; i < std::min(wanted.size(), got.size()); ++i) {
      if (wanted[i] == got[i]) continue;
      margin = std::max(margin, std::abs(score(wanted[i]) - score(got[i])));
    }
    return margin;
  }
  double best = -kInfinity;
  double worst = kInfinity;
  for (const std::int32_t id : a) {
    if (b.count(id) == 0) best = std::max(best, score(id));
  }
  for (const std::int32_t id : b) {
    if (a.count(id) == 0) worst = std::min(worst, score(id));
  }
  return std::isfinite(best - worst) ? std::abs(best - worst) : kInfinity;
}

std::string short_number(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof(text), "%.1e", value);
  return text;
}

}  // namespace ds4
