#pragma once

#include <cstdint>
#include <vector>

#include "validate/layer_check.hpp"

namespace ds4::validate {

/// Token ids of a check, from its seed.
[[nodiscard]] std::vector<std::int32_t> drawn_tokens(const Settings& settings,
                                                     const ModelConfig& config);

/// embed_streams of the tokens, on both sides, from the embedding's rows that they name.
/// Gives [tokens, streams, width].
Result<std::vector<float>> check_embedding(const ModelFile& model, const Sides& sides,
                                           const std::vector<std::int32_t>& tokens, Row& row);

/// head of every row on both sides, a slice of the vocabulary at a time.
Result<void> check_head(const ModelFile& model, const Sides& sides, const Settings& settings,
                        const std::vector<float>& x, Row& row);

}  // namespace ds4::validate
