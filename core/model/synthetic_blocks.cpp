// Random blocks by type. A word of 64 random bits costs two multiplications, so most of a block is
// a copy of words; what is masked is masked eight bytes at a time.
#include "model/synthetic_blocks.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "format/half.hpp"
#include "model/counter_rng.hpp"

namespace ds4::synthetic {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kLowBits = 0x0101010101010101ULL;
constexpr std::uint64_t kLowNibbles = 0x0F0F0F0F0F0F0F0FULL;
constexpr std::size_t kTable = 4096;

/// The words of one block, in order.
class Words {
 public:
  Words(std::uint64_t key, std::uint64_t block, std::uint64_t per_block) noexcept
      : state_(key + block * per_block * kGolden) {}
  std::uint64_t next() noexcept {
    const std::uint64_t word = splitmix64(state_);
    state_ += kGolden;
    return word;
  }
  /// Writes `count` words, each with the bits of `set` on.
  void copy(std::byte* out, std::size_t count, std::uint64_t set = 0) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t word = next() | set;
      std::memcpy(out + 8 * i, &word, sizeof word);
    }
  }

 private:
  std::uint64_t state_;
};

void store_half(std::byte* out, std::uint16_t bits) noexcept {
  std::memcpy(out, &bits, sizeof bits);
}

/// The 12 bytes of 6-bit scales and mins of Q4_K and Q5_K. A min equals its scale but for the
/// lowest bit, so that each sub-block of 32 has a mean near 0.
void six_bit_scales(std::byte* out, std::uint64_t first, std::uint64_t second) noexcept {
  const auto scales = static_cast<std::uint32_t>(first);
  const std::uint32_t mins = scales ^ (static_cast<std::uint32_t>(first >> 32) & 0x01010101U);
  const std::uint32_t low = static_cast<std::uint32_t>(second) & 0x0F0F0F0FU;
  const std::uint32_t high = low ^ (static_cast<std::uint32_t>(second >> 32) & 0x01010101U);
  const std::uint32_t both = low | high << 4;
  std::memcpy(out, &scales, 4);
  std::memcpy(out + 4, &mins, 4);
  std::memcpy(out + 8, &both, 4);
}

/// How a type is drawn: words a block takes, deviation of its values at d = 1 (of the fields drawn
/// uniformly as below, scales of neighbours included), and dmin as a multiple of d.
struct Rule {
  Dtype dtype;
  std::uint32_t words;
  double deviation;
  double min;
};

// Q8_0 codes are odd, -127..127: rms sqrt((128^2 - 1) / 3). Q4_0: 16 codes around -0.5. Q2_K: scale
// 0..15 (mean square 77.5) times a code of variance 1.25. Q3_K: 6-bit scale (rms 18.48) times
// -4..3. Q4_K, Q5_K: 6-bit scale (mean square 1333.5) times codes of variance 21.25 and 85.25.
// Q6_K: odd int8 scale times -32..31. IQ2_XXS: (0.5 + 0..15) / 4 times grid coordinates of mean
// square 534.4.
constexpr Rule kRules[] = {
    {Dtype::q8_0, 5, 73.90, 0},    {Dtype::q4_0, 3, 4.637, 0},     {Dtype::mxfp4, 3, 2.926, 0},
    {Dtype::iq2_xxs, 9, 53.36, 0}, {Dtype::q2_k, 11, 9.90, 1.5},   {Dtype::q3_k, 15, 43.33, 0},
    {Dtype::q4_k, 19, 168.3, 7.5}, {Dtype::q5_k, 23, 337.2, 15.5}, {Dtype::q6_k, 27, 1365.0, 0},
};

const Rule* find_rule(Dtype dtype) noexcept {
  const auto* found = std::find_if(std::begin(kRules), std::end(kRules),
                                   [dtype](const Rule& rule) { return rule.dtype == dtype; });
  return found == std::end(kRules) ? nullptr : found;
}

/// Symmetric normal values, the same on every machine: drawn, not computed by a library's erf.
std::vector<std::uint32_t> value_table(Dtype dtype, double deviation) {
  const CounterRng rng(1, "normal table");
  std::vector<std::uint32_t> out(kTable);
  for (std::size_t i = 0; i < kTable / 2; ++i) {
    const auto value = static_cast<float>(deviation * std::fabs(rng.normal(i)));
    for (const float v : {value, -value}) {
      const std::uint32_t bits = dtype == Dtype::f32   ? std::bit_cast<std::uint32_t>(v)
                                 : dtype == Dtype::f16 ? float_to_half(v)
                                                       : float_to_bfloat(v);
      out[v == value ? i : kTable - 1 - i] = bits;
    }
  }
  return out;
}

template <class T>
void fill_plain(const std::vector<std::uint32_t>& values_by_bits, std::uint64_t key,
                std::uint64_t first, std::uint64_t count, std::byte* out) noexcept {
  // A pointer of our own: a store through std::byte may change a vector's.
  const std::uint32_t* const table = values_by_bits.data();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t word = splitmix64(key + (first + i) * kGolden);
    // Joined in registers: four small stores and one large load of them would wait for each other.
    const auto value = [&](unsigned j) -> std::uint64_t {
      return table[(word >> (16 * j)) % kTable];
    };
    constexpr unsigned kBits = 8 * sizeof(T);
    constexpr unsigned kPerWord = 64 / kBits;
    for (unsigned j = 0; j < 4; j += kPerWord) {
      std::uint64_t joined = 0;
      for (unsigned k = 0; k < kPerWord; ++k) joined |= value(j + k) << (kBits * k);
      std::memcpy(out + (4 * i + j) * sizeof(T), &joined, sizeof joined);
    }
  }
}

}  // namespace

Result<BlockMaker> BlockMaker::make(Dtype dtype, double deviation) {
  BlockMaker out;
  out.dtype_ = dtype;
  if (dtype == Dtype::f32 || dtype == Dtype::f16 || dtype == Dtype::bf16) {
    out.bytes_ = dtype == Dtype::f32 ? 16 : 8;
    out.values_ = value_table(dtype, deviation);
    return out;
  }
  const Rule* rule = find_rule(dtype);
  if (rule == nullptr) {
    return fail(Errc::invalid_argument, "there is no rule for random blocks of ",
                dtype_name(dtype));
  }
  const DtypeTraits& traits = *find_traits(dtype);
  out.elements_ = traits.block_elements;
  out.bytes_ = traits.block_bytes;
  const double unit = deviation / rule->deviation;
  for (std::size_t i = 0; i < out.scales_.size(); ++i) {
    const double d = unit * (0.7 + 0.04 * static_cast<double>(i));
    out.scales_[i] = float_to_half(static_cast<float>(d));
    out.mins_[i] = float_to_half(static_cast<float>(d * rule->min));
  }
  // Two neighbouring powers of two whose mean square is 2.5 times that of the smaller one.
  int power = 0;
  const double fraction = std::frexp(unit / std::sqrt(2.5), &power);
  if (fraction < std::sqrt(0.5)) --power;
  out.exponent_ = static_cast<std::uint8_t>(std::clamp(power + 127, 1, 253));
  return out;
}

void BlockMaker::fill(std::uint64_t key, std::uint64_t first, std::uint64_t count,
                      std::byte* out) const noexcept {
  if (!values_.empty()) {
    return dtype_ == Dtype::f32 ? fill_plain<std::uint32_t>(values_, key, first, count, out)
                                : fill_plain<std::uint16_t>(values_, key, first, count, out);
  }
  const std::uint64_t per_block = find_rule(dtype_)->words;
  for (std::uint64_t i = 0; i < count; ++i, out += bytes_) {
    Words words(key, first + i, per_block);
    const std::uint64_t choice = words.next();
    const std::uint16_t scale = scales_[choice % 16];
    const std::uint16_t min = mins_[choice % 16];
    switch (dtype_) {
      case Dtype::q8_0:
        store_half(out, scale);
        words.copy(out + 2, 4, kLowBits);  // odd codes: symmetric, and never -128
        break;
      case Dtype::q4_0:
        store_half(out, scale);
        words.copy(out + 2, 2);
        break;
      case Dtype::mxfp4:
        *out = static_cast<std::byte>(exponent_ + choice % 2);
        words.copy(out + 1, 2);
        break;
      case Dtype::iq2_xxs:
        store_half(out, scale);
        words.copy(out + 2, 8);
        break;
      case Dtype::q2_k:
        for (std::size_t w = 0; w < 2; ++w) {
          // Low nibbles are scales; mins equal them but for the lowest bit.
          const std::uint64_t word = words.next();
          const std::uint64_t low = word & kLowNibbles;
          const std::uint64_t both = low | (low ^ ((word >> 4) & kLowBits)) << 4;
          std::memcpy(out + 8 * w, &both, sizeof both);
        }
        words.copy(out + 16, 8);
        store_half(out + 80, scale);
        store_half(out + 82, min);
        break;
      case Dtype::q3_k: {
        words.copy(out, 12);  // high bits, low bits
        std::uint64_t last[2] = {words.next(), words.next()};
        std::memcpy(out + 96, last, 12);
        store_half(out + 108, scale);
        break;
      }
      case Dtype::q4_k:
      case Dtype::q5_k: {
        store_half(out, scale);
        store_half(out + 2, min);
        const std::uint64_t a = words.next();
        six_bit_scales(out + 4, a, words.next());
        words.copy(out + 16, dtype_ == Dtype::q4_k ? 16 : 20);
        break;
      }
      case Dtype::q6_k:
        words.copy(out, 24);
        words.copy(out + 192, 2, kLowBits);
        store_half(out + 208, scale);
        break;
      default:
        break;
    }
  }
}

}  // namespace ds4::synthetic
