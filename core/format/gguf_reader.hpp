#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.hpp"
#include "base/result.hpp"
#include "format/gguf_types.hpp"

namespace ds4 {

/// An opened GGUF file (version 3, or 2 which has the same layout): metadata table, tensor
/// directory and the bytes of every tensor, all as views into one read-only mapping. Nothing is
/// copied, so a vocabulary of 129280 strings costs nothing until it is asked for.
///
/// The file is treated as hostile: every length is checked against the bytes that remain before it
/// is used. Errors name the file, the offset and the reason.
///
/// Thread   immutable after open; any number of readers.
/// Life     views stay valid while the GgufFile (or one moved from it) lives.
/// Source   the GGUF specification, version 3.
class GgufFile {
 public:
  /// Maps and checks a file. Errors: not_found, io, bad_file.
  static Result<GgufFile> open(const std::filesystem::path& path);

  /// Checks bytes that the caller keeps alive; `name` appears in errors. Errors: bad_file.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name);

  /// The same for a file of `file_bytes` of which only the head (everything before the tensor data)
  /// exists: the data are made elsewhere, and bytes() is empty for every tensor. Errors: bad_file.
  static Result<GgufFile> parse_head(std::span<const std::byte> head, std::uint64_t file_bytes,
                                     std::string name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
  [[nodiscard]] std::uint64_t alignment() const noexcept { return alignment_; }
  /// Where tensor data begins; everything before it is metadata, directory and padding.
  [[nodiscard]] std::uint64_t data_offset() const noexcept { return data_offset_; }
  [[nodiscard]] std::uint64_t file_bytes() const noexcept { return file_bytes_; }
  /// The bytes that exist: the whole file, or its head (parse_head).
  [[nodiscard]] std::span<const std::byte> all_bytes() const noexcept { return bytes_; }

  /// Entries in file order.
  [[nodiscard]] std::span<const GgufEntry> metadata() const noexcept { return entries_; }
  /// Null when the key is absent.
  [[nodiscard]] const GgufEntry* find(std::string_view key) const noexcept;

  /// Scalars. Integers of another width are taken when the value fits; a float key may be f64 or an
  /// integer; strings are never converted. A float must be finite.
  /// Errors: not_found for an absent key; bad_file for a wrong type or range.
  [[nodiscard]] Result<std::uint32_t> u32(std::string_view key) const;
  [[nodiscard]] Result<std::uint64_t> u64(std::string_view key) const;
  [[nodiscard]] Result<float> f32(std::string_view key) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::string_view> string(std::string_view key) const;

  /// Arrays, with the same conversions per element. A scalar is not an array.
  [[nodiscard]] Result<std::vector<std::uint32_t>> u32_array(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::int32_t>> i32_array(std::string_view key) const;
  [[nodiscard]] Result<std::vector<float>> f32_array(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string_view>> string_array(std::string_view key) const;

  /// Tensors in directory order.
  [[nodiscard]] std::span<const TensorInfo> tensors() const noexcept { return tensors_; }
  /// Null when there is no such tensor.
  [[nodiscard]] const TensorInfo* find_tensor(std::string_view name) const noexcept;
  /// The stored bytes of a tensor of this file; empty when its type is unknown or only the head
  /// exists.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorInfo& tensor) const noexcept;

  /// `out.size()` stored bytes of a tensor from `offset` on, read into `out`: no page of the
  /// mapping becomes resident. The tensor exists here (bytes() is not empty). Errors: io.
  Result<void> read(const TensorInfo& tensor, std::uint64_t offset, std::span<std::byte> out) const;

  /// Says that a range of this file's bytes is not needed soon: its pages leave this process (they
  /// stay in the page cache, and reading them again brings them back).
  void release(std::span<const std::byte> range) const noexcept;

  /// SHA-256 over everything before the tensor data: equal for files with equal metadata and
  /// layout.
  [[nodiscard]] std::array<std::byte, 32> header_hash() const;
  /// The same in 64 hexadecimal digits.
  [[nodiscard]] std::string header_hash_text() const;

  /// False when the file on disk changed its size since it was opened; reading would then fault.
  [[nodiscard]] bool unchanged() const noexcept;
  /// The file under it; null where the bytes were the caller's.
  [[nodiscard]] const MappedFile* file() const noexcept { return mapping_ ? &*mapping_ : nullptr; }

 private:
  GgufFile() = default;
  Result<void> read();
  [[nodiscard]] Result<const GgufEntry*> need(std::string_view key) const;

  std::optional<MappedFile> mapping_;
  std::string name_;
  std::span<const std::byte> bytes_;
  std::uint64_t file_bytes_ = 0;  // beyond bytes_ where only the head exists
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 32;
  std::uint64_t data_offset_ = 0;
  std::vector<GgufEntry> entries_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> entry_index_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace ds4
