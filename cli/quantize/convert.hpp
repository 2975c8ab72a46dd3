#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "quantize/recipe.hpp"

namespace ds4::quantize {

struct ConvertOptions {
  std::filesystem::path source;  ///< checkpoint folder: *.safetensors, config.json, tokenizer.json
  std::filesystem::path output;
  Recipe recipe;
  std::uint32_t threads = 1;
  bool with_tokenizer = true;  ///< false: the file has no token table and takes token ids only
  bool is_dry_run = false;     ///< plan and check everything, write nothing
};

/// What was made, or would be.
struct ConvertReport {
  std::uint64_t tensors = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t repacked_experts = 0;  ///< expert matrices moved from FP4 to MXFP4 unchanged
  std::uint64_t left_out_mtp = 0;      ///< tensors of next-token-prediction blocks
  std::uint64_t left_out_other = 0;    ///< tensors that no role of the model uses
  std::string left_out_example;        ///< one of the latter
};

/// Called as each tensor begins, from the converting thread.
struct ConvertProgress {
  std::uint64_t tensor;   ///< index
  std::uint64_t tensors;  ///< count
  std::string_view name;
  Dtype dtype;
  std::uint64_t bytes_done;
  std::uint64_t bytes_total;
};
using ProgressSink = std::function<void(const ConvertProgress&)>;

/// Reads an official checkpoint and writes a GGUF in the ds4 naming, tensor by tensor; the target
/// appears under its name only when complete. The result does not depend on the thread count.
///
/// Errors: those of Checkpoint, the config and tokenizer readers and SourceMatrix; invalid_argument
/// for a row that is not whole blocks of its type; bad_file for a value that is not finite or an
/// expert id that no expert has; io.
Result<ConvertReport> convert(const ConvertOptions& options, const ProgressSink& progress = {});

}  // namespace ds4::quantize
