#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "loader/note.hpp"
#include "loader/reason.hpp"

namespace ds4::plugins {

/// Checks 4 to 10 on the bytes of a file, in order: ELF structure, segments inside the file, no
/// unsafe request, one ds4 note that fits this runtime and processor, the entry and nothing else
/// exported. Runs no code of the file; safe on any bytes.
///
/// expected_name: from the file's name. isa: cpu_isa(). `note` is filled as soon as it is known.
[[nodiscard]] Verdict preflight_elf(std::span<const std::byte> file, std::string_view expected_name,
                                    std::uint64_t isa, NoteFacts& note);

}  // namespace ds4::plugins
