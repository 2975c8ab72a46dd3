#pragma once

#include <optional>
#include <string_view>

#include "format/gguf_writer.hpp"
#include "quantize/hf_config.hpp"
#include "quantize/hf_tokenizer.hpp"

namespace ds4::quantize {

/// Adds every key a ds4 file has: architecture, shape, and the token table if there is one.
void add_metadata(GgufHeader& header, const HfConfig& config, std::string_view name,
                  const std::optional<TokenTable>& tokens);

}  // namespace ds4::quantize
