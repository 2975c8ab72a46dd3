// IQ2_XXS, 66 bytes: half d, eight sub-blocks of 8 bytes. A sub-block of 32 elements is four grid
// indices and a word of four 7-bit sign indices and a 4-bit scale; the eighth sign of each group of
// 8 makes the number of negative signs even. y = d * (0.5 + scale) / 4 * grid * sign.
#include <algorithm>
#include <array>
#include <cmath>

#include "format/quants/codec.hpp"
#include "format/quants/quants.hpp"

namespace ds4 {
namespace {

constexpr std::array<std::uint64_t, 256> kGrid = {
#include "format/quants/iq2_xxs_grid.inc"
};
static_assert(kGrid.front() == 0x0808080808080808ULL && kGrid.back() == 0x2b2b2b1908081908ULL);

// byte j of every grid point as float: kept as a table so that the search runs over plain arrays.
constexpr auto kCoordinates = [] {
  std::array<std::array<float, 256>, 8> out{};
  for (std::size_t g = 0; g < 256; ++g) {
    for (std::size_t j = 0; j < 8; ++j) {
      out[j][g] = static_cast<float>((kGrid[g] >> (8 * j)) & 255U);
    }
  }
  return out;
}();

constexpr unsigned sign_mask(unsigned index) noexcept {
  return index | (static_cast<unsigned>(std::popcount(index) % 2) << 7);
}
static_assert(sign_mask(1) == 129 && sign_mask(126) == 126 && sign_mask(127) == 255);

}  // namespace

std::span<const std::uint64_t, 256> iq2_xxs_grid() noexcept {
  return kGrid;
}

namespace quants {
namespace {

constexpr std::size_t kGroup = 8;
constexpr std::size_t kSub = 32;

// What the search needs to know about 8 elements: with scale s and grid point g the weighted error
// is const - 2 s dot[g] + s^2 square[g].
struct GroupFit {
  std::array<float, 256> dot;
  std::array<float, 256> square;
  std::array<std::uint8_t, 256> flipped;  // element whose sign gives way to even parity, 8: none
  unsigned signs = 0;
};

GroupFit prepare(const float* x, const float* weights) noexcept {
  GroupFit fit;
  fit.dot.fill(0);
  fit.square.fill(0);
  fit.flipped.fill(8);
  std::array<float, 256> loss;
  loss.fill(HUGE_VALF);
  for (std::size_t j = 0; j < kGroup; ++j) {
    if (std::signbit(x[j])) fit.signs |= 1U << j;
  }
  const bool is_odd = std::popcount(fit.signs) % 2 != 0;
  for (std::size_t j = 0; j < kGroup; ++j) {
    const float w = weights != nullptr ? weights[j] : 1.0F;
    const float wx = w * std::fabs(x[j]);
    for (std::size_t g = 0; g < 256; ++g) {
      const float c = kCoordinates[j][g];
      fit.dot[g] += wx * c;
      fit.square[g] += w * c * c;
    }
    for (std::size_t g = 0; g < 256 && is_odd; ++g) {
      if (wx * kCoordinates[j][g] < loss[g]) {
        loss[g] = wx * kCoordinates[j][g];
        fit.flipped[g] = static_cast<std::uint8_t>(j);
      }
    }
  }
  // A flipped element is off by its full magnitude on the wrong side: its product changes sign.
  for (std::size_t g = 0; g < 256 && is_odd; ++g) fit.dot[g] -= 2 * loss[g];
  return fit;
}

struct Choice {
  std::size_t point = 0;
  float error = HUGE_VALF;  // up to the constant
};

Choice choose(const GroupFit& fit, float scale) noexcept {
  // Errors first: that loop has no dependence from point to point and is done in vectors.
  std::array<float, 256> errors;
  for (std::size_t g = 0; g < 256; ++g) {
    errors[g] = scale * (scale * fit.square[g] - 2 * fit.dot[g]);
  }
  Choice best;
  for (std::size_t g = 0; g < 256; ++g) {
    if (errors[g] < best.error) best = {g, errors[g]};
  }
  return best;
}

// A scale for 32 elements: the best of several, each refined by least squares on its choices.
float fit_scale(const std::array<GroupFit, 4>& fits, float peak) noexcept {
  float best_scale = 0;
  float best_error = 0;
  for (int trial = 0; trial < 8; ++trial) {
    // 43 is the largest coordinate; beyond it the peak is clipped.
    const float scale = peak / (22.0F + 4.0F * static_cast<float>(trial));
    float dot = 0;
    float square = 0;
    for (const GroupFit& fit : fits) {
      const std::size_t point = choose(fit, scale).point;
      dot += fit.dot[point];
      square += fit.square[point];
    }
    if (!(square > 0) || !(dot > 0)) continue;
    const float error = -dot * dot / square;
    if (error < best_error) {
      best_error = error;
      best_scale = dot / square;
    }
  }
  return best_scale;
}

void store_sub_block(const std::array<GroupFit, 4>& fits, double d, float target,
                     std::byte* out) noexcept {
  const double code = d > 0 ? std::round(4 * static_cast<double>(target) / d - 0.5) : 0;
  const auto level = static_cast<std::uint32_t>(std::clamp(code, 0.0, 15.0));
  const auto scale = static_cast<float>(d * (0.5 + level) * 0.25);
  std::uint32_t word = level << 28;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::size_t point = choose(fits[k], scale).point;
    unsigned signs = fits[k].signs;
    if (fits[k].flipped[point] < 8) signs ^= 1U << fits[k].flipped[point];
    out[k] = static_cast<std::byte>(point);
    word |= (signs & 127U) << (7 * k);
  }
  store_u32(out + 4, word);
}

}  // namespace

void decode_iq2_xxs(const std::byte* block, float* out) noexcept {
  const float d = load_half(block);
  for (std::size_t b = 0; b < kSuperBlock / kSub; ++b) {
    const std::byte* sub = block + 2 + 8 * b;
    const std::uint32_t word = load_u32(sub + 4);
    const float scale = d * (0.5F + static_cast<float>(word >> 28)) * 0.25F;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint64_t point = kGrid[load_u8(sub + k)];
      const unsigned signs = sign_mask((word >> (7 * k)) & 127U);
      for (std::size_t j = 0; j < kGroup; ++j) {
        const float magnitude = scale * static_cast<float>((point >> (8 * j)) & 255U);
        out[kSub * b + kGroup * k + j] = ((signs >> j) & 1U) != 0 ? -magnitude : magnitude;
      }
    }
  }
}

void encode_iq2_xxs(const float* in, const float* weights, std::byte* block) noexcept {
  std::array<std::array<GroupFit, 4>, kSuperBlock / kSub> fits;
  std::array<float, kSuperBlock / kSub> scales{};
  for (std::size_t b = 0; b < fits.size(); ++b) {
    const float* x = in + kSub * b;
    const float* w = weights != nullptr ? weights + kSub * b : nullptr;
    float peak = 0;
    for (std::size_t i = 0; i < kSub; ++i) peak = std::max(peak, std::fabs(x[i]));
    for (std::size_t k = 0; k < 4; ++k) {
      fits[b][k] = prepare(x + kGroup * k, w != nullptr ? w + kGroup * k : nullptr);
    }
    scales[b] = fit_scale(fits[b], peak);
  }
  // The largest sub-block scale takes the highest level, 15.
  const double largest = *std::max_element(scales.begin(), scales.end());
  const double d = store_scale(block, largest * 4 / 15.5);
  for (std::size_t b = 0; b < fits.size(); ++b) {
    store_sub_block(fits[b], d, scales[b], block + 2 + 8 * b);
  }
}

}  // namespace quants
}  // namespace ds4
