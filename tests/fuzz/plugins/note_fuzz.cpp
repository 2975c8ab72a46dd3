// Bytes of a note segment: read without a file around them, then checked as the loader does.
#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/note.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ds4::plugins;
  for (const std::uint64_t alignment : {std::uint64_t{4}, std::uint64_t{8}}) {
    NoteFacts note;
    std::uint32_t found = 0;
    const auto refusal = read_notes(std::as_bytes(std::span(data, size)), alignment, note, found);
    if (refusal) {
      if (refusal->text.empty()) __builtin_trap();
      continue;
    }
    if (found == 0) continue;
    // A note that was read holds terminated texts; one that passes holds a name.
    const auto verdict = check_note(note, "good", ~std::uint64_t{0});
    if (note.name.size() > 31 || note.version.size() > 31 || note.vendor.size() > 31) {
      __builtin_trap();
    }
    if (!verdict && (note.name != "good" || note.abi_major != DS4_ABI_MAJOR)) __builtin_trap();
  }
  return 0;
}
