#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ds4/backend.h"
#include "loader/reason.hpp"

namespace ds4::plugins {

/// The fields of a ds4_note, copied.
struct NoteFacts {
  std::uint16_t abi_major = 0;
  std::uint16_t abi_minor_needed = 0;
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint64_t isa_required = 0;
  std::string name;
  std::string version;
  std::string vendor;
};

/// True for `[a-z][a-z0-9]*(-[a-z0-9]+)*` of at most 31 characters.
[[nodiscard]] bool is_backend_name(std::string_view name) noexcept;

/// Reads the notes of one segment (a sequence of Elf_Nhdr records, padded to `alignment`, 4 or 8)
/// and counts the ds4 ones in `found`; the last one's fields go to `out`. A malformed record ends
/// the sequence. Refusals: no-note (a ds4 note of another size or type, or an unterminated field).
[[nodiscard]] Verdict read_notes(std::span<const std::byte> segment, std::uint64_t alignment,
                                 NoteFacts& out, std::uint32_t& found);

/// Checks 7 to 9: name, kind, versions, sanitizer flag, instruction sets.
/// `expected_name` is the one in the file's name; `isa` what this processor has (cpu_isa()).
[[nodiscard]] Verdict check_note(const NoteFacts& note, std::string_view expected_name,
                                 std::uint64_t isa);

/// The DS4_ISA_* bits of the processor that this runs on.
[[nodiscard]] std::uint64_t cpu_isa() noexcept;

}  // namespace ds4::plugins
