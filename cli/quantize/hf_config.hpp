#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"
#include "model/config.hpp"

namespace ds4::quantize {

/// What config.json of an official checkpoint says.
struct HfConfig {
  ModelConfig model;
  std::uint32_t bos = 0;
  std::uint32_t eos = 1;
  std::uint32_t mtp_blocks = 0;  ///< blocks of next-token prediction in the checkpoint
};

/// Reads the keys of the official release and checks the ranges; nothing is assumed but the two
/// token ids and the activation. `file` appears in errors.
/// Errors: bad_file naming the key, what was found and what is accepted; unsupported for another
/// model type or another router.
Result<HfConfig> parse_hf_config(std::string_view text, std::string_view file);

/// The same for FOLDER/config.json. Errors: not_found, io.
Result<HfConfig> read_hf_config(const std::filesystem::path& folder);

}  // namespace ds4::quantize
