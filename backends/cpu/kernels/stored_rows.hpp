/// Reading stored rows with this level's instructions: the same numbers as
/// cpu-common/row_codec.hpp, which reads what is not written out here.
#pragma once

#include "../isa/codes.hpp"
#include "cpu-common/context.hpp"
#include "cpu-common/row_codec.hpp"

namespace ds4::fast {

/// A KV_ROW whose codes and tail are both whole blocks of 64.
inline void decode_kv_row(std::uint32_t tail, const std::byte* in, std::uint32_t width,
                          float* out) noexcept {
  const sdk::RowLayout layout = sdk::kv_row_layout(width, tail);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(in);
  const std::uint32_t coded = width - tail;
  for (std::uint32_t begin = 0; begin < coded; begin += 64) {
    const F32 scale = all(cpu::e8m0_to_float(bytes[layout.scales + begin / 64]));
    for (std::uint32_t i = begin; i < begin + 64; i += kLanes) {
      store(out + i, load_e4m3(bytes + i) * scale);
    }
  }
  for (std::uint32_t i = 0; i < tail; i += kLanes) {
    store(out + coded + i, load_bf16(bytes + layout.tail + 2 * std::uint64_t{i}));
  }
}

/// `width` values of one stored row of any row dtype.
inline void decode_stored_row(std::uint32_t dtype, std::uint32_t tail, const std::byte* in,
                              std::uint32_t width, float* out) noexcept {
  if (dtype == DS4_DTYPE_KV_ROW && tail % 64 == 0 && width % 64 == 0) {
    return decode_kv_row(tail, in, width, out);
  }
  cpu::decode_row(dtype, tail, in, width, out);
}

}  // namespace ds4::fast
