#include "product.hpp"

#include "../isa/bytes.hpp"
#include "bands.hpp"
#include "cpu-common/dequant.hpp"
#include "panels.hpp"
#include "sums.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

static_assert(kMostColumns <= kMostPanelColumns && kMostColumns <= kMostBandColumns);
static_assert(kBandTiles <= kMostTiles);
#if defined(DS4_PLAIN_TILES) || defined(__AMX_INT8__) || defined(__ARM_FEATURE_MATMUL_INT8)
static_assert(kHasPanels, "this level is there for its panels");
#endif

using QuantisedTile = void (*)(const std::byte*, std::uint32_t, const QuantisedVector*,
                               std::uint32_t, float*) noexcept;

/// From this many columns on a tile would be read more than once. Fewer wait for memory, and a
/// tile's kernel asks for what it reads next.
constexpr std::uint32_t kFewestBandColumns = kRegisterColumns + 1;

bool is_half(const ds4_weight& weight) noexcept {
  return weight.layout != nullptr && weight.dtype == DS4_DTYPE_F16;
}

/// Of one tile alone a band is for formats whose decoding costs, once for all columns.
bool takes_band(const ds4_weight& weight, std::uint32_t count) noexcept {
  constexpr bool kSharesVectors = kBandTiles > 1;
  if (count < kFewestBandColumns) return false;
  if (quantum_of(weight) == Quantum::none) {
    return is_half(weight) && (kSharesVectors || !kConvertsHalves);
  }
  return !kHasPanels && (kSharesVectors || weight.dtype != DS4_DTYPE_Q8_0);
}

/// A packed tile: many columns by a panel where the level has them, the others by runs that fit in
/// registers.
template <QuantisedTile Tile, QuantisedTile Panel>
void quantised_product(const ds4_weight& weight, const std::byte* tile, const Operand& x,
                       Quantum quantum, const std::uint32_t* columns, std::uint32_t count,
                       float* out) noexcept {
  std::uint32_t taken = 0;
  if constexpr (kHasPanels) {
    taken = panel_columns(count);
    if (taken != 0) {
      QuantisedVector vectors[kMostColumns];
      for (std::uint32_t c = 0; c < taken; ++c) vectors[c] = x.quantised(quantum, columns[c]);
      Panel(tile, weight.width(), vectors, taken, out);
    }
  }
  QuantisedVector vectors[kRegisterColumns];
  for (std::uint32_t begin = taken; begin < count; begin += kRegisterColumns) {
    const std::uint32_t n = std::min(kRegisterColumns, count - begin);
    for (std::uint32_t c = 0; c < n; ++c) {
      vectors[c] = x.quantised(quantum, columns[begin + c]);
    }
    Tile(tile, weight.width(), vectors, n, out + kTileRows * begin);
  }
}

void half_product(const ds4_weight& weight, const std::byte* tile, const Operand& x,
                  const std::uint32_t* columns, std::uint32_t count, float* out) noexcept {
  const float* vectors[kRegisterColumns];
  for (std::uint32_t begin = 0; begin < count; begin += kRegisterColumns) {
    const std::uint32_t n = std::min(kRegisterColumns, count - begin);
    for (std::uint32_t c = 0; c < n; ++c) {
      vectors[c] = x.x.vector(columns[begin + c]);
    }
    f16_tile(tile, weight.width(), vectors, n, out + kTileRows * begin);
  }
}

void band_product(const ds4_weight& weight, const std::byte* tiles, const Operand& x,
                  Quantum quantum, const std::uint32_t* columns, std::uint32_t count,
                  float* out) noexcept {
  const std::uint64_t tile_bytes = kTileRows * weight.row_bytes();
  if (quantum == Quantum::none) {
    const float* vectors[kMostColumns];
    for (std::uint32_t c = 0; c < count; ++c) vectors[c] = x.x.vector(columns[c]);
    return f16_band(tiles, tile_bytes, weight.width(), vectors, count, out);
  }
  const std::byte* records[kMostColumns];
  for (std::uint32_t c = 0; c < count; ++c) records[c] = x.record(quantum, columns[c]);
  const QuantisedColumns vectors = {x.layout, records, count};
  switch (weight.dtype) {
    case DS4_DTYPE_Q8_0:
      return q8_0_band(tiles, tile_bytes, weight.width(), vectors, out);
    case DS4_DTYPE_Q2_K:
      return q2_k_band(tiles, tile_bytes, weight.width(), vectors, out);
    default:
      return iq2_xxs_band(tiles, tile_bytes, weight.width(), vectors, out);
  }
}

/// Any format: a row is decoded to f32, then meets every column.
void decoded_product(const ds4_weight& weight, std::uint64_t first, std::uint32_t rows,
                     const Operand& x, const std::uint32_t* columns, std::uint32_t count,
                     float* out) noexcept {
  for (std::uint32_t i = 0; i < rows; ++i) {
    const float* w = cpu::weight_row(weight, first + i, x.row);
    for (std::uint32_t c = 0; c < count; ++c) {
      const float* v = x.x.vector(columns[c]);
      out[kTileRows * c + i] = dot(w, v, x.x.width);
    }
  }
}

/// The operand with room for the forms that the weights ask for, nothing brought into them yet.
Operand empty_operand(const ProductScratch& scratch, const Activations& x,
                      std::initializer_list<const ds4_weight*> weights) noexcept {
  Operand operand;
  operand.x = x;
  operand.layout = QuantisedLayout(x.width);
  operand.row = scratch.row;
  operand.repeats = x.vector_stride == 0 ? x.middle : 1;
  for (const ds4_weight* weight : weights) {
    const Quantum quantum = quantum_of(*weight);
    if (quantum == Quantum::none) continue;
    operand.records[kind_of(quantum)] = scratch.records[kind_of(quantum)];
  }
  return operand;
}

void quantise_one(const Operand& operand, const ProductScratch& scratch, std::uint64_t i) noexcept {
  const float* vector = operand.x.vector(static_cast<std::uint32_t>(i) * operand.repeats);
  const std::uint64_t at = i * operand.layout.bytes;
  for (std::uint32_t kind = 0; kind < kRecordKinds; ++kind) {
    if (operand.records[kind] == nullptr) continue;
    quantise(vector, operand.x.width, quantum_of_kind(kind), scratch.records[kind] + at);
  }
}

}  // namespace

Quantum quantum_of(const ds4_weight& weight) noexcept {
  if (weight.layout == nullptr) return Quantum::none;
  // What the values are is a choice or a gate: int8 would change which expert is taken.
  if (weight.role == DS4_ROLE_ROUTER || weight.role == DS4_ROLE_HC_MIX) return Quantum::none;
  if (weight.dtype == DS4_DTYPE_Q8_0) return Quantum::of_32;
  if (weight.dtype == DS4_DTYPE_Q2_K) return Quantum::of_256;
  if (weight.dtype == DS4_DTYPE_IQ2_XXS) return kIq2Quantum;
  return Quantum::none;
}

Operand make_operand(const cpu::Context& c, const ProductScratch& scratch, const Activations& x,
                     std::initializer_list<const ds4_weight*> weights) noexcept {
  const Operand operand = empty_operand(scratch, x, weights);
  if (operand.is_f32()) return operand;
  const sdk::Part part = c.share(x.count / operand.repeats);
  for (std::uint64_t i = part.begin; i < part.end; ++i) quantise_one(operand, scratch, i);
  c.barrier();
  return operand;
}

Operand make_operand(const cpu::Context& c, const ProductScratch& scratch, const Activations& x,
                     std::initializer_list<const ds4_weight*> weights,
                     std::span<const std::uint32_t> only) noexcept {
  const Operand operand = empty_operand(scratch, x, weights);
  if (operand.is_f32()) return operand;
  const sdk::Part part = c.share(only.size());
  for (std::uint64_t i = part.begin; i < part.end; ++i) {
    quantise_one(operand, scratch, only[i]);
  }
  c.barrier();
  return operand;
}

std::uint32_t tiles_at_once(const ds4_weight& weight, std::uint32_t count) noexcept {
  return takes_band(weight, count) ? kBandTiles : 1;
}

void tile_product(const ds4_weight& weight, std::uint64_t first, std::uint32_t rows,
                  const Operand& x, const std::uint32_t* columns, std::uint32_t count,
                  float* out) noexcept {
  const Quantum quantum = quantum_of(weight);
  // A packed weight has whole tiles only.
  const std::byte* tile = weight.data + first * weight.row_bytes();
  // Several tiles are a band however few of the columns are left for this call.
  if (kBandTiles == 1 ? takes_band(weight, count) : tiles_of(rows) == kBandTiles) {
    return band_product(weight, tile, x, quantum, columns, count, out);
  }
  if (quantum != Quantum::none) {
    switch (weight.dtype) {
      case DS4_DTYPE_Q8_0:
        return quantised_product<q8_0_tile, q8_0_panel>(weight, tile, x, quantum, columns, count,
                                                        out);
      case DS4_DTYPE_Q2_K:
        return quantised_product<q2_k_tile, q2_k_panel>(weight, tile, x, quantum, columns, count,
                                                        out);
      case DS4_DTYPE_IQ2_XXS:
        return quantised_product<iq2_xxs_tile, iq2_xxs_panel>(weight, tile, x, quantum, columns,
                                                              count, out);
      default:
        break;
    }
  }
  if (is_half(weight)) {
    return half_product(weight, tile, x, columns, count, out);
  }
  decoded_product(weight, first, rows, x, columns, count, out);
}

}  // namespace ds4::fast
