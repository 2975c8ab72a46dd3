#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

/// Builds GGUF bytes field by field, well formed or not, without the writer under test.
class GgufBytes {
 public:
  template <class T>
  GgufBytes& put(T value) {
    const auto* p = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), p, p + sizeof value);
    return *this;
  }
  GgufBytes& u8(std::uint8_t v) { return put(v); }
  GgufBytes& u32(std::uint32_t v) { return put(v); }
  GgufBytes& u64(std::uint64_t v) { return put(v); }
  GgufBytes& text(std::string_view v) {
    u64(v.size());
    const auto* p = reinterpret_cast<const std::byte*>(v.data());
    bytes_.insert(bytes_.end(), p, p + v.size());
    return *this;
  }

  /// Magic, version 3, counts.
  GgufBytes& head(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    return u32(0x46554747).u32(version).u64(tensors).u64(entries);
  }
  /// A key with its value type; the value follows.
  GgufBytes& key(std::string_view name, std::uint32_t type) { return text(name).u32(type); }
  GgufBytes& array(std::string_view name, std::uint32_t element, std::uint64_t count) {
    return key(name, 9).u32(element).u64(count);
  }
  GgufBytes& tensor(std::string_view name, std::initializer_list<std::uint64_t> dims,
                    std::uint32_t type, std::uint64_t offset) {
    text(name).u32(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
  /// Zeros up to a multiple of `unit`, then `count` more.
  GgufBytes& pad(std::size_t unit, std::size_t count = 0) {
    bytes_.resize((bytes_.size() + unit - 1) / unit * unit + count);
    return *this;
  }

  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};
