#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/model_file.hpp"

namespace ds4 {

/// Weight bytes of one part of the model that decoding one token of one session reads.
struct TrafficRow {
  std::string_view component;  ///< "attention q_b"
  std::uint32_t layers = 0;    ///< that have the part; 1 for what is outside the layers
  std::uint64_t bytes = 0;     ///< per token, over all these layers
};

/// Every weight that a token reads, by component, in the order of a layer; the rows add up to all
/// of it. Of routed experts `experts_used` count, of tables (embedding, experts by
/// token, offsets by window position) one row.
/// Only parts that the model has are listed.
///
/// Source: the shapes and types of the file; performance.md 1.2 and model.md 8.3 have the figures
/// of the released files.
[[nodiscard]] std::vector<TrafficRow> decode_traffic(const ModelFile& model);

}  // namespace ds4
