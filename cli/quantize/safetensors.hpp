#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.hpp"
#include "base/result.hpp"

namespace ds4::quantize {

/// Element types that official checkpoints use.
enum class SourceType : std::uint8_t {
  f32,
  f16,
  bf16,
  i64,
  i32,
  i8,       ///< also U8: two FP4 codes in each byte
  f8_e4m3,  ///< weights with a scale per block
  f8_e8m0,  ///< scales: a power of two
};

/// "BF16"; the name safetensors uses.
[[nodiscard]] std::string_view source_type_name(SourceType type) noexcept;

/// One tensor of a checkpoint, as a view into its mapped file.
struct SourceTensor {
  std::string name;
  SourceType type = SourceType::f32;
  std::vector<std::uint64_t> shape;  ///< outermost first
  std::span<const std::byte> bytes;  ///< exactly the product of `shape` elements
};

/// One mapped `.safetensors` file: u64 length of a JSON header, the header, the data.
///
/// The file is treated as hostile: lengths and offsets are checked before use.
class SafetensorsFile {
 public:
  /// Errors: not_found, io; bad_file naming the tensor and what is wrong; unsupported for an
  /// element type that no official checkpoint uses.
  static Result<SafetensorsFile> open(const std::filesystem::path& path);

  /// Tensors in the order of the header. Views live as long as the file (or one moved from it).
  [[nodiscard]] std::span<const SourceTensor> tensors() const noexcept { return tensors_; }

 private:
  explicit SafetensorsFile(MappedFile mapping) : mapping_(std::move(mapping)) {}
  Result<void> read();

  MappedFile mapping_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace ds4::quantize
