#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace ds4 {

/// Appends integers, low byte first.
class LittleEndianWriter {
 public:
  void u32(std::uint32_t value) { number(value, sizeof value); }
  void u64(std::uint64_t value) { number(value, sizeof value); }
  void bytes(std::span<const std::byte> from) { out_.insert(out_.end(), from.begin(), from.end()); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::span<const std::byte> written() const { return out_; }
  [[nodiscard]] std::vector<std::byte> take() && { return std::move(out_); }

 private:
  void number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      out_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }
  }
  std::vector<std::byte> out_;
};

/// Takes integers from the front; that they are there is the caller's to check first.
class LittleEndianReader {
 public:
  explicit LittleEndianReader(std::span<const std::byte> from) : from_(from) {}
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(sizeof(std::uint32_t))); }
  std::uint64_t u64() { return number(sizeof(std::uint64_t)); }
  [[nodiscard]] std::size_t left() const { return from_.size(); }
  void bytes(std::span<std::byte> to) {
    DS4_ASSERT(to.size() <= from_.size());
    std::copy_n(from_.begin(), to.size(), to.begin());
    from_ = from_.subspan(to.size());
  }

 private:
  std::uint64_t number(std::size_t size) {
    DS4_ASSERT(size <= from_.size());
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= std::to_integer<std::uint64_t>(from_[i]) << (8 * i);
    }
    from_ = from_.subspan(size);
    return value;
  }
  std::span<const std::byte> from_;
};

}  // namespace ds4
