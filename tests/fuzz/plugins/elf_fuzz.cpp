// Bytes of a would-be backend: the preflight reader must accept or refuse them, never fall.
#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/preflight_elf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ds4::plugins::NoteFacts note;
  const auto verdict = ds4::plugins::preflight_elf(std::as_bytes(std::span(data, size)), "good",
                                                   ~std::uint64_t{0}, note);
  // A refusal always says why.
  if (verdict && verdict->text.empty()) __builtin_trap();
  return 0;
}
