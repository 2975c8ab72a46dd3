#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.hpp"

namespace ds4::golden {

/// What `transformers` computed for one prompt of one oracle model, and what it selected on the
/// way. Written by tests/oracle/transformers_oracle.py; the layout is described in
/// tests/oracle/vectors.py.
struct OracleVectors {
  /// Behind the last chosen row of a position that sees fewer rows than index_top_k.
  static constexpr std::uint16_t kNoRow = 0xFFFF;

  std::uint64_t seed = 0;           ///< of the model's weights
  std::uint32_t vocab = 0;          ///< [V]
  std::uint32_t layers = 0;         ///< [L]
  std::uint32_t experts_used = 0;   ///< [K]
  std::uint32_t index_top_k = 0;    ///< [I]
  std::uint32_t streams = 0;        ///< [C]
  std::uint32_t width = 0;          ///< [D]
  std::uint32_t stream_layers = 0;  ///< layers whose streams are recorded: 0 or L

  std::vector<std::uint32_t> tokens;         ///< the prompt [T]
  std::vector<std::uint32_t> sparse_layers;  ///< layer numbers of the ratio-4 layers [S]
  std::vector<std::uint32_t> positions;      ///< positions of the rows of `logits` [N]
  std::vector<float> logits;                 ///< [N, V]
  std::vector<std::uint32_t> top1;           ///< most likely token at every position [T]
  std::vector<float> top_gap;                ///< largest minus second largest logit [T]
  std::vector<std::uint8_t> experts;         ///< [L, T, K], by descending score
  std::vector<float> expert_margins;         ///< [L, T]; +inf in hash layers
  std::vector<std::uint16_t> index_rows;     ///< [S, T, I], ascending, then kNoRow
  std::vector<float> index_margins;          ///< [S, T], relative; +inf where no row is rejected
  std::vector<float> residuals;              ///< streams after each layer [stream_layers, T, C, D]

  /// Reads a whole file. Errors: not_found, io; bad_file for a wrong magic, version or size.
  static Result<OracleVectors> read(const std::filesystem::path& path);

  [[nodiscard]] std::size_t rows() const noexcept { return tokens.size(); }
  /// Logits of positions[n].
  [[nodiscard]] std::span<const float> logits_row(std::size_t n) const noexcept {
    return std::span(logits).subspan(n * vocab, vocab);
  }
  /// Experts of a layer at a position.
  [[nodiscard]] std::span<const std::uint8_t> experts_at(std::size_t layer,
                                                         std::size_t position) const noexcept {
    return std::span(experts).subspan((layer * rows() + position) * experts_used, experts_used);
  }
  /// Compressed rows of the sparse layer sparse_layers[s] at a position, kNoRow included.
  [[nodiscard]] std::span<const std::uint16_t> index_rows_at(std::size_t s,
                                                             std::size_t position) const noexcept {
    return std::span(index_rows).subspan((s * rows() + position) * index_top_k, index_top_k);
  }
};

}  // namespace ds4::golden
