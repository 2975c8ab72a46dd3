/// F16 weights times f32: two running sums a row, of even and of odd values.
#include "../isa/bytes.hpp"
#include "tiles.hpp"

namespace ds4::fast {

void f16_tile(const std::byte* tile, std::uint32_t values, const float* const* columns,
              std::uint32_t count, float* out) noexcept {
  constexpr std::uint32_t kBytes = 2 * kLanes;
  with_count<kRegisterColumns>(count, [&]<std::uint32_t N>() {
    F32 even[N];
    F32 odd[N];
    for (std::uint32_t c = 0; c < N; ++c) even[c] = odd[c] = zero();
    const std::byte* p = tile;
    std::uint32_t k = 0;
    for (; k + 2 <= values; k += 2, p += 2 * kBytes) {
      prefetch(p + kPrefetchBytes);
      const F32 first = load_halves(p);
      const F32 second = load_halves(p + kBytes);
      for (std::uint32_t c = 0; c < N; ++c) {
        even[c] = fma(first, all(columns[c][k]), even[c]);
        odd[c] = fma(second, all(columns[c][k + 1]), odd[c]);
      }
    }
    if (k < values) {
      const F32 last = load_halves(p);
      for (std::uint32_t c = 0; c < N; ++c) even[c] = fma(last, all(columns[c][k]), even[c]);
    }
    for (std::uint32_t c = 0; c < N; ++c) store(out + kLanes * c, even[c] + odd[c]);
  });
}

}  // namespace ds4::fast
