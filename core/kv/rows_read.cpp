#include "kv/rows_read.hpp"

#include <algorithm>

#include "ops/views.hpp"

namespace ds4 {

std::uint64_t rows_read_bytes(const ModelConfig& config, const Roundings& roundings,
                              std::uint32_t context) {
  const std::uint64_t row =
      *view_row_bytes(roundings.kv_dtype(), config.head_dim,
                      roundings.kv_dtype() == DS4_DTYPE_KV_ROW ? config.rot_dim : 0);
  const std::uint64_t index_row = *view_row_bytes(roundings.index_dtype(), config.index_dim);
  std::uint64_t bytes = 0;
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const std::uint32_t ratio = config.ratio(layer);
    bytes += std::min(config.window, context) * row;
    if (ratio == 0) continue;
    const std::uint64_t rows = context / ratio;
    const bool is_sparse = config.kind(layer) == LayerKind::sparse;
    bytes += (is_sparse ? std::min<std::uint64_t>(rows, config.index_top_k) : rows) * row;
    if (is_sparse) bytes += rows * index_row;
  }
  return bytes;
}

}  // namespace ds4
