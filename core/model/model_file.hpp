#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "format/gguf_reader.hpp"
#include "model/config.hpp"
#include "model/synthetic_source.hpp"
#include "model/tensors.hpp"

namespace ds4 {

/// How much of a model file is looked at when it is opened.
enum class ModelChecks {
  all,     ///< metadata, tensor directory, and the expert tables of hash-routed layers
  header,  ///< no byte of a tensor: for plans and listings
};

/// A GGUF file whose metadata and tensors have been checked to be one DeepSeek V4 model; or a model
/// of random weights of which only the head exists, and whose tensors are made as they are read.
///
/// Checked at open: every tensor of the main model is present with the expected dims and an allowed
/// type, gate and up experts share a type, rows are whole blocks, and expert tables name existing
/// experts. Blocks beyond the main layers (MTP) are counted, not required.
///
/// Thread   immutable; any number of readers.
/// Life     pointers to TensorInfo and spans of bytes stay valid while the ModelFile (or one moved
///          from it) lives.
class ModelFile {
 public:
  /// Opens a file, or makes the head of the model that is named "synthetic:..."
  /// (SyntheticSpec::parse).
  /// Errors: those of GgufFile::open and ModelConfig::read; bad_file naming the tensor, what was
  /// expected and what the file has; unsupported for a type that is known but has no decoder;
  /// invalid_argument for a name that says no model.
  static Result<ModelFile> open(const std::filesystem::path& path,
                                ModelChecks checks = ModelChecks::all);
  /// The same for a file that is already parsed.
  static Result<ModelFile> from(GgufFile file, ModelChecks checks = ModelChecks::all);

  [[nodiscard]] const GgufFile& gguf() const noexcept { return gguf_; }
  [[nodiscard]] const ModelConfig& config() const noexcept { return config_; }

  /// A tensor of main layer `layer` (< config().layers); null where the layer has no such tensor.
  [[nodiscard]] const TensorInfo* layer_tensor(std::uint32_t layer, TensorRole role) const noexcept;
  /// A tensor outside the layers; never null for a global role.
  [[nodiscard]] const TensorInfo* global_tensor(TensorRole role) const noexcept;
  /// Whether tensors lie in a mapped file, so that bytes() gives them.
  [[nodiscard]] bool is_mapped() const noexcept { return synthetic_ == nullptr; }
  /// The stored bytes of a tensor of this file; empty unless is_mapped().
  [[nodiscard]] std::span<const std::byte> bytes(const TensorInfo& tensor) const noexcept {
    return gguf_.bytes(tensor);
  }
  /// Rows first .. first + count - 1 of a tensor into `out` of count * tensor.row_bytes() bytes,
  /// wherever they come from: a file is read, no page of its mapping becomes resident; tensors that
  /// are made share the work out over `team`. Errors: out_of_memory, io (the file changed).
  Result<void> read_rows(const TensorInfo& tensor, std::uint64_t first, std::uint64_t count,
                         std::span<std::byte> out, ThreadTeam& team) const;
  /// Tensors of the file that the main model does not use (MTP blocks, unknown names).
  [[nodiscard]] std::uint64_t unused_tensors() const noexcept { return unused_; }

  /// Identifies the model for saved state and reports: 64 hexadecimal digits of SHA-256 over
  /// metadata and directory.
  [[nodiscard]] std::string fingerprint() const { return gguf_.header_hash_text(); }

 private:
  using RoleTable = std::array<const TensorInfo*, kTensorRoles>;
  ModelFile(GgufFile gguf, ModelConfig config)
      : gguf_(std::move(gguf)), config_(std::move(config)) {}
  Result<void> bind(ModelChecks checks);
  Result<void> check_table(const TensorInfo& tensor) const;

  static Result<ModelFile> make_synthetic(std::string_view name);

  std::shared_ptr<const SyntheticSource> synthetic_;  // holds what gguf_ views, where not a file
  GgufFile gguf_;
  ModelConfig config_;
  RoleTable global_{};
  std::vector<RoleTable> layers_;
  std::uint64_t unused_ = 0;
};

}  // namespace ds4
