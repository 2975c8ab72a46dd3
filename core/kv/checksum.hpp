#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ds4 {

/// XXH3-64 of bytes that come in pieces. Finds damage, not malice.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void add(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t value() const;

  [[nodiscard]] static std::uint64_t of(std::span<const std::byte> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ds4
