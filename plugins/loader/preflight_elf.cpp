#include "loader/preflight_elf.hpp"

#include <string>

#include "loader/elf_view.hpp"

namespace ds4::plugins {
namespace {

constexpr std::string_view kEntryPrefix = "ds4_backend_entry_";
constexpr std::string_view kVersionNodePrefix = "DS4_BACKEND_";

/// "$ORIGIN", "$ORIGIN/..." and the same with braces: places that move with the file.
bool is_relative_to_file(std::string_view entry) noexcept {
  for (const std::string_view origin : {"$ORIGIN", "${ORIGIN}"}) {
    if (!entry.starts_with(origin)) continue;
    const std::string_view rest = entry.substr(origin.size());
    if (rest.empty() || rest.front() == '/') return true;
  }
  return false;
}

Verdict check_run_path(const ElfView& elf, std::uint64_t offset) {
  const auto text = elf.string(offset);
  if (!text) return Refusal{Reason::unsafe_elf, "has a malformed library search path (RPATH)"};
  std::string_view rest = *text;
  while (true) {
    const std::size_t colon = rest.find(':');
    if (!is_relative_to_file(rest.substr(0, colon))) {
      return Refusal{Reason::unsafe_elf,
                     "names a library search path (RPATH) other than $ORIGIN; link it without one"};
    }
    if (colon == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(colon + 1);
  }
}

Verdict check_requests(const ElfView& elf) {
  bool has_stack_header = false;
  for (const Elf64_Phdr& segment : elf.segments()) {
    if (segment.p_type == PT_GNU_STACK) {
      has_stack_header = true;
      if ((segment.p_flags & PF_X) != 0) {
        return Refusal{Reason::unsafe_elf,
                       "asks for an executable stack; link it with -z noexecstack"};
      }
    }
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) != 0 &&
        (segment.p_flags & PF_X) != 0) {
      return Refusal{Reason::unsafe_elf, "has a segment that is writable and executable"};
    }
  }
  if (!has_stack_header) {
    // Without the header the system falls back to an executable stack.
    return Refusal{Reason::unsafe_elf,
                   "does not say that its stack is not executable; link it with -z noexecstack"};
  }
  for (const Elf64_Dyn& entry : elf.dynamic()) {
    const bool text_relocations = entry.d_tag == DT_TEXTREL ||
                                  (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL) != 0);
    if (text_relocations) {
      return Refusal{Reason::unsafe_elf, "has text relocations; compile it with -fPIC"};
    }
    if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) {
      if (auto refusal = check_run_path(elf, entry.d_un.d_val)) return refusal;
    }
  }
  return std::nullopt;
}

Verdict find_note(const ElfView& elf, NoteFacts& note) {
  std::uint32_t found = 0;
  for (const Elf64_Phdr& segment : elf.segments()) {
    if (segment.p_type != PT_NOTE) continue;
    if (auto refusal = read_notes(elf.bytes(segment), segment.p_align, note, found)) {
      return refusal;
    }
  }
  if (found == 1) return std::nullopt;
  if (found == 0) {
    return Refusal{Reason::no_note,
                   "has no ds4 note: it is no backend, or was built without DS4_BACKEND_NOTE"};
  }
  return Refusal{Reason::no_note, "has " + std::to_string(found) +
                                      " ds4 notes; put DS4_BACKEND_NOTE into one source file only"};
}

/// Names come from the file: what is not a plain identifier is not repeated.
std::string printable(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 80)) out += c > 0x20 && c < 0x7f ? c : '?';
  return out;
}

bool is_definition_for_others(const Elf64_Sym& symbol) noexcept {
  const unsigned binding = ELF64_ST_BIND(symbol.st_info);
  const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  const bool is_global = binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE;
  return symbol.st_shndx != SHN_UNDEF && is_global &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

Verdict check_symbols(const ElfView& elf) {
  const auto symbols = elf.symbols();
  if (!symbols) return Refusal{Reason::no_entry, "has malformed dynamic symbol tables"};
  bool has_entry = false;
  std::string other_entry;
  std::string leaked;
  for (const Elf64_Sym& symbol : *symbols) {
    if (!is_definition_for_others(symbol)) continue;
    const auto name = elf.string(symbol.st_name);
    if (!name) return Refusal{Reason::no_entry, "has malformed dynamic symbol names"};
    const bool is_version_node =
        symbol.st_shndx == SHN_ABS && name->starts_with(kVersionNodePrefix);
    if (*name == DS4_BACKEND_ENTRY_NAME && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC) {
      has_entry = true;
    } else if (name->starts_with(kEntryPrefix)) {
      other_entry = printable(*name);
    } else if (!is_version_node && leaked.empty()) {
      leaked = printable(*name);
    }
  }
  if (!has_entry && !other_entry.empty()) {
    return Refusal{Reason::no_entry, "exports " + other_entry + ", this runtime speaks " +
                                         std::to_string(DS4_ABI_MAJOR) +
                                         "; get a build for this version of ds4"};
  }
  if (!has_entry) {
    return Refusal{Reason::no_entry,
                   "does not export " DS4_BACKEND_ENTRY_NAME "; define it with DS4_API"};
  }
  if (!leaked.empty()) {
    return Refusal{Reason::leaks_symbols,
                   "exports " + leaked + " besides its entry; link it with a version script"};
  }
  return std::nullopt;
}

}  // namespace

Verdict preflight_elf(std::span<const std::byte> file, std::string_view expected_name,
                      std::uint64_t isa, NoteFacts& note) {
  ElfView elf;
  if (auto refusal = elf.open(file)) return refusal;
  if (auto refusal = check_requests(elf)) return refusal;
  if (auto refusal = find_note(elf, note)) return refusal;
  if (auto refusal = check_note(note, expected_name, isa)) return refusal;
  return check_symbols(elf);
}

}  // namespace ds4::plugins
