#include "loader/note.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "base/checked.hpp"

namespace ds4::plugins {
namespace {

constexpr bool kSanitized = DS4_BUILD_SANITIZED != 0;

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// The text of a field, or nothing when it has no NUL.
template <std::size_t N>
std::optional<std::string> terminated(const char (&field)[N]) {
  const std::size_t length = ::strnlen(field, N);
  if (length == N) return std::nullopt;
  return std::string(field, length);
}

Verdict copy_note(std::span<const std::byte> description, std::uint32_t type, NoteFacts& out) {
  if (type != DS4_NOTE_TYPE || description.size() != sizeof(ds4_note)) {
    std::ostringstream text;
    text << "its ds4 note has type " << type << " and " << description.size() << " bytes, type "
         << DS4_NOTE_TYPE << " and " << sizeof(ds4_note)
         << " bytes are expected; rebuild the backend with this SDK";
    return Refusal{Reason::no_note, text.str()};
  }
  ds4_note note;
  std::memcpy(&note, description.data(), sizeof note);
  const auto name = terminated(note.name);
  const auto version = terminated(note.version);
  const auto vendor = terminated(note.vendor);
  if (!name || !version || !vendor) {
    return Refusal{Reason::no_note,
                   "a text of its ds4 note is not terminated; rebuild the backend with shorter "
                   "name, version and vendor (31 characters each)"};
  }
  out = NoteFacts{note.abi_major,    note.abi_minor_needed,
                  note.kind,         note.flags,
                  note.isa_required, *name,
                  *version,          *vendor};
  return std::nullopt;
}

std::string isa_names(std::uint64_t bits) {
  struct Name {
    std::uint64_t bit;
    const char* text;
  };
  constexpr Name names[] = {{DS4_ISA_X86_64_V2, "x86-64-v2"}, {DS4_ISA_X86_64_V3, "x86-64-v3"},
                            {DS4_ISA_X86_64_V4, "x86-64-v4"}, {DS4_ISA_AVX512_VNNI, "avx512-vnni"},
                            {DS4_ISA_AMX_INT8, "amx-int8"},   {DS4_ISA_ARM_ASIMD, "asimd"},
                            {DS4_ISA_ARM_DOTPROD, "dotprod"}, {DS4_ISA_ARM_I8MM, "i8mm"},
                            {DS4_ISA_ARM_SVE2, "sve2"}};
  std::string out;
  for (const Name& name : names) {
    if ((bits & name.bit) == 0) continue;
    if (!out.empty()) out += ", ";
    out += name.text;
    bits &= ~name.bit;
  }
  if (bits != 0) {
    if (!out.empty()) out += ", ";
    out += "instruction sets unknown to this runtime";
  }
  return out;
}

template <class... Parts>
Refusal refuse(Reason reason, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return Refusal{reason, text.str()};
}

}  // namespace

bool is_backend_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 31 || !is_lower(name.front())) return false;
  bool after_dash = false;
  for (const char c : name) {
    if (c == '-') {
      if (after_dash) return false;
      after_dash = true;
    } else if (is_lower(c) || is_digit(c)) {
      after_dash = false;
    } else {
      return false;
    }
  }
  return !after_dash;
}

Verdict read_notes(std::span<const std::byte> segment, std::uint64_t alignment, NoteFacts& out,
                   std::uint32_t& found) {
  const std::uint64_t unit = alignment == 8 ? 8 : 4;
  std::uint64_t at = 0;
  while (segment.size() - at >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, segment.data() + at, sizeof header);
    // Sizes are 32-bit and the offset is below the file's size: these sums cannot wrap.
    const std::uint64_t name_at = at + sizeof header;
    const std::uint64_t text_at = round_up(name_at + header.n_namesz, unit);
    const std::uint64_t end = text_at + header.n_descsz;
    if (end > segment.size()) break;
    const bool ours =
        header.n_namesz == sizeof DS4_NOTE_OWNER &&
        std::memcmp(segment.data() + name_at, DS4_NOTE_OWNER, sizeof DS4_NOTE_OWNER) == 0;
    if (ours) {
      ++found;
      if (auto refusal = copy_note(segment.subspan(text_at, header.n_descsz), header.n_type, out)) {
        return refusal;
      }
    }
    at = std::min<std::uint64_t>(round_up(end, unit), segment.size());
  }
  return std::nullopt;
}

Verdict check_note(const NoteFacts& note, std::string_view expected_name, std::uint64_t isa) {
  if (note.name != expected_name) {
    return refuse(Reason::name_mismatch, "its note says the name is \"",
                  is_backend_name(note.name) ? note.name : std::string("(malformed)"),
                  "\", its file name says \"", expected_name,
                  "\"; name the file libds4-backend-<name>.so");
  }
  if (note.kind < DS4_BACKEND_KIND_CPU || note.kind > DS4_BACKEND_KIND_OTHER) {
    return refuse(Reason::name_mismatch, "its note has the backend kind ", note.kind,
                  ", this runtime knows 1 to ", DS4_BACKEND_KIND_OTHER, "; update ds4");
  }
  if (note.abi_major != DS4_ABI_MAJOR) {
    return refuse(Reason::abi_major, "needs ABI ", note.abi_major, ".", note.abi_minor_needed,
                  ", this runtime speaks ", DS4_ABI_MAJOR, ".", DS4_ABI_MINOR,
                  "; get a build for this version of ds4");
  }
  // While the major is 0 nothing is promised between minors.
  const bool exact = DS4_ABI_MAJOR == 0;
  if (exact ? note.abi_minor_needed != DS4_ABI_MINOR : note.abi_minor_needed > DS4_ABI_MINOR) {
    return refuse(Reason::abi_minor, "needs ABI ", note.abi_major, ".", note.abi_minor_needed,
                  ", this runtime is ", DS4_ABI_MAJOR, ".", DS4_ABI_MINOR,
                  "; get a build for this version of ds4");
  }
  const bool sanitized = (note.flags & DS4_NOTE_SANITIZED) != 0;
  if (sanitized != kSanitized) {
    return refuse(Reason::sanitizer, "was built ", sanitized ? "with" : "without",
                  " a sanitizer, this program ", kSanitized ? "with" : "without",
                  " one; build both alike");
  }
  if ((note.isa_required & ~isa) != 0) {
    return refuse(Reason::isa, "needs ", isa_names(note.isa_required & ~isa),
                  ", which this processor lacks; use a build for an older processor");
  }
  return std::nullopt;
}

}  // namespace ds4::plugins
