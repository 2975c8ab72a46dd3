#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/new_file.hpp"
#include "base/result.hpp"
#include "format/gguf_types.hpp"

namespace ds4 {

/// The head of a GGUF file to be written: metadata and tensor directory, in the order added.
/// Offsets of the tensors follow from their order; each begins at a multiple of the alignment.
class GgufHeader {
 public:
  /// A tensor as it will lie in the file.
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dims;  ///< dims[0] contiguous
    Dtype dtype;
    std::uint64_t bytes;
    std::uint64_t offset;  ///< relative to the tensor data
  };

  /// alignment: a power of two, a multiple of 8, at most 65536. Written as general.alignment.
  explicit GgufHeader(std::uint32_t alignment = 32);

  void add_u32(std::string_view key, std::uint32_t value);
  void add_u64(std::string_view key, std::uint64_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_u32_array(std::string_view key, std::span<const std::uint32_t> values);
  void add_i32_array(std::string_view key, std::span<const std::int32_t> values);
  void add_f32_array(std::string_view key, std::span<const float> values);
  void add_string_array(std::string_view key, std::span<const std::string> values);
  /// A value of any type as another file stores it (general.alignment is skipped).
  void add_copy(const GgufEntry& entry);

  /// Errors: invalid_argument for a rank outside 1..4, a zero dimension, a row of broken blocks, a
  /// size beyond 64 bits.
  Result<void> add_tensor(std::string_view name, std::span<const std::uint64_t> dims, Dtype dtype);

  [[nodiscard]] std::span<const Tensor> tensors() const noexcept { return tensors_; }
  /// Everything before the tensor data, padded to the alignment.
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// Bytes of the tensor data, padding between tensors included.
  [[nodiscard]] std::uint64_t data_bytes() const noexcept { return data_bytes_; }
  [[nodiscard]] std::uint32_t alignment() const noexcept { return alignment_; }

 private:
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType element, std::uint64_t count);

  std::uint32_t alignment_;
  std::uint64_t entries_ = 0;
  std::vector<std::byte> metadata_;
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;
};

/// Streams a GGUF file: head first, then the tensors in directory order, into a temporary beside
/// the target that finish() syncs and renames. A writer that is destroyed before leaves no file.
class GgufWriter {
 public:
  /// Errors: io.
  static Result<GgufWriter> create(const std::filesystem::path& path, GgufHeader header);

  /// The tensor that the next write() continues; null when all are complete.
  [[nodiscard]] const GgufHeader::Tensor* current() const noexcept;

  /// Appends to the current tensor, moving on when it is complete.
  /// Errors: io; invalid_argument for more bytes than the tensor still needs.
  Result<void> write(std::span<const std::byte> bytes);

  /// Leaves the whole current tensor as a hole, which reads as zeros and occupies no disk.
  /// Errors: invalid_argument when part of the tensor is written already.
  Result<void> skip();

  /// Syncs and renames onto the target. Errors: io; invalid_argument when tensors are missing.
  Result<void> finish();

 private:
  GgufWriter(NewFile file, GgufHeader header, std::uint64_t data_offset)
      : file_(std::move(file)), header_(std::move(header)), data_offset_(data_offset) {}

  NewFile file_;
  GgufHeader header_;
  std::uint64_t data_offset_;
  std::size_t tensor_ = 0;     // index of the current tensor
  std::uint64_t written_ = 0;  // bytes of the current tensor written so far
};

}  // namespace ds4
