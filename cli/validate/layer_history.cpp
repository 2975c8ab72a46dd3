#include "validate/layer_history.hpp"

#include <cstring>

#include "ops/views.hpp"

namespace ds4::validate {
namespace {

using conformance::Random;

/// One encoded row that decodes to finite values near 1 (backend.h).
void encoded_row(const ds4_view& view, Random& random, std::byte* row) {
  const std::uint32_t width = view_width(view);
  const bool is_kv = view.dtype == DS4_DTYPE_KV_ROW;
  const std::uint32_t coded = is_kv ? width - view.row_tail : width;
  const std::uint32_t code_bytes = is_kv ? coded : (coded + 1) / 2;
  const std::uint32_t block = is_kv ? 64 : 32;
  std::uint64_t at = 0;
  for (; at < code_bytes; ++at) {
    auto code = static_cast<std::uint8_t>(random.bits());
    if (is_kv && (code & 0x7F) == 0x7F) code = 0x38;  // no NaN
    row[at] = std::byte{code};
  }
  for (std::uint32_t b = 0; b < (coded + block - 1) / block; ++b) {
    row[at++] = static_cast<std::byte>((is_kv ? 119U : 125U) + random.below(3));
  }
  at = (at + 3) / 4 * 4;
  for (std::uint32_t i = coded; i < width; ++i, at += 2) {
    const auto value = static_cast<float>(random.normal());
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    const auto high = static_cast<std::uint16_t>(bits >> 16);
    std::memcpy(row + at, &high, sizeof(high));
  }
}

void fill(const ds4_view& view, Random& random, std::vector<std::byte>& bytes) {
  if (view.rank == 0) return;
  const std::uint32_t rows = view.extent[view.rank - 2];
  const std::uint64_t stride = view.stride[view.rank - 2];
  for (std::uint32_t r = 0; r < rows; ++r) {
    std::byte* row = &bytes[view.offset + r * stride];
    if (is_row_dtype(view.dtype)) {
      encoded_row(view, random, row);
      continue;
    }
    for (std::uint32_t i = 0; i < view_width(view); ++i) {
      const auto value = static_cast<float>(random.normal());
      std::memcpy(row + sizeof(value) * i, &value, sizeof(value));
    }
  }
}

}  // namespace

void fill_history(const LayerSetup& setup, Random& random, LayerState& state) {
  std::fill(state.rings.begin(), state.rings.end(), std::byte{0});
  std::fill(state.pool.begin(), state.pool.end(), std::byte{0});
  const LayerKv kv = setup.kv.views(setup.config, nullptr, {nullptr})[0];
  fill(kv.ring, random, state.rings);
  fill(kv.pairs, random, state.rings);
  fill(kv.index_pairs, random, state.rings);
  fill(kv.pool, random, state.pool);
  fill(kv.index_pool, random, state.pool);
}

}  // namespace ds4::validate
