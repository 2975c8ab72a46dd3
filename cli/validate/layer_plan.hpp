#pragma once

#include <cstdint>

#include "common/console.hpp"
#include "common/exit_code.hpp"
#include "model/model_file.hpp"
#include "validate/settings.hpp"

namespace ds4::validate {

/// Bytes of a layer's weights that a check holds at most on one side, from the header alone: of the
/// routed experts no more than the tokens can choose.
[[nodiscard]] std::uint64_t layer_weight_bytes(const ModelFile& model, std::uint32_t layer,
                                               std::uint32_t tokens);

/// Errors: out_of_memory when both sides together would take more than the settings allow.
[[nodiscard]] Result<void> check_layer_memory(const ModelFile& model, const Settings& settings,
                                              std::uint32_t layer);

/// --model with --plan: prints what a check would hold at once, and reads no tensor.
[[nodiscard]] cli::ExitCode print_model_plan(const cli::Console& console, const Settings& settings);

}  // namespace ds4::validate
