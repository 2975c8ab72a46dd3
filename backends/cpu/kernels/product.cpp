#include "product.hpp"

#include "cpu-common/dequant.hpp"
#include "sums.hpp"

namespace ds4::fast {

void tile_product(const ds4_weight& weight, std::uint64_t first, std::uint32_t rows,
                  const Activations& x, const std::uint32_t* columns, std::uint32_t from,
                  std::uint32_t count, const ProductScratch& scratch, float* out) noexcept {
  for (std::uint32_t i = 0; i < rows; ++i) {
    const float* w = cpu::weight_row(weight, first + i, scratch.row);
    for (std::uint32_t c = 0; c < count; ++c) {
      const float* v = x.vector(columns != nullptr ? columns[c] : from + c);
      out[kTileRows * c + i] = dot(w, v, x.width);
    }
  }
}

}  // namespace ds4::fast
