#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "quantize/safetensors.hpp"

namespace ds4::quantize {

/// All tensors of a checkpoint folder: the shards its `model.safetensors.index.json` names, or
/// every
/// `*.safetensors` file when there is no index.
class Checkpoint {
 public:
  /// Errors: not_found (no folder, no shard, a shard of the index is missing); those of
  /// SafetensorsFile::open; bad_file for a tensor that two shards hold or that the index promises
  /// and no shard has.
  static Result<Checkpoint> open(const std::filesystem::path& folder);

  /// Null when there is no such tensor.
  [[nodiscard]] const SourceTensor* find(std::string_view name) const noexcept;
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  /// Names of all tensors.
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  explicit Checkpoint(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<void> add_shard(const std::filesystem::path& path);

  std::filesystem::path folder_;
  std::vector<SafetensorsFile> shards_;
  std::unordered_map<std::string_view, const SourceTensor*> tensors_;
};

/// The text of a small file of the folder (config.json). Errors: not_found, io.
Result<std::string> read_text(const std::filesystem::path& path);

}  // namespace ds4::quantize
