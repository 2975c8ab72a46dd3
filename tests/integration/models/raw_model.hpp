#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/gguf_reader.hpp"

namespace ds4::test {

using Bytes = std::vector<std::byte>;

/// A metadata entry as it lies in the file: the value with its own lengths and element types.
struct RawEntry {
  std::string key;
  std::uint32_t type = 0;
  Bytes value;
};

struct RawTensor {
  std::string name;
  std::vector<std::uint64_t> dims;
  std::uint32_t type = 0;
  std::optional<std::uint64_t> offset;  ///< none: behind the one before
  Bytes data;
};

/// A GGUF file field by field, to be broken in one place and encoded without the writer under test.
struct RawModel {
  static RawModel of(const GgufFile& file);

  /// The entry of a key; ends the test when there is none.
  RawEntry& entry(std::string_view key);
  RawTensor& tensor(std::string_view name);
  void remove_entry(std::string_view key);
  void remove_tensor(std::string_view name);

  /// Replaces a value (or adds one).
  void set_u32(std::string_view key, std::uint32_t value);
  void set_u64(std::string_view key, std::uint64_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_u32s(std::string_view key, const std::vector<std::uint32_t>& values);
  void set_i32s(std::string_view key, const std::vector<std::int32_t>& values);
  void set_f32s(std::string_view key, const std::vector<float>& values);
  void set_strings(std::string_view key, const std::vector<std::string>& values);
  void set_raw(std::string_view key, std::uint32_t type, Bytes value);

  [[nodiscard]] Bytes encode() const;

  std::uint32_t version = 3;
  std::vector<RawEntry> entries;
  std::vector<RawTensor> tensors;
};

}  // namespace ds4::test
