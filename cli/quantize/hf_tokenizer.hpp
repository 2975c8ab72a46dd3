#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4::quantize {

/// The token table of a checkpoint in the form a GGUF stores it.
struct TokenTable {
  std::vector<std::string> tokens;  ///< one per row of the embedding
  std::vector<std::int32_t> types;  ///< 1 normal, 3 control, 4 user-defined, 5 unused
  std::vector<std::string> merges;  ///< "left right", rank = index
};

/// Reads a `tokenizer.json` of byte-level BPE: vocabulary, merges (strings or pairs) and added
/// tokens. Ids without a token become unused tokens named "[PAD<id>]". `file` appears in errors.
/// Errors: bad_file (syntax, an id beyond `vocab` or given twice, a merge that is no pair),
/// unsupported for a model other than BPE.
Result<TokenTable> parse_hf_tokenizer(std::string_view text, std::uint32_t vocab,
                                      std::string_view file);

/// The same for FOLDER/tokenizer.json. Errors: not_found, io.
Result<TokenTable> read_hf_tokenizer(const std::filesystem::path& folder, std::uint32_t vocab);

}  // namespace ds4::quantize
