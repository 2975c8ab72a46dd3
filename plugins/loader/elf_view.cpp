#include "loader/elf_view.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "base/checked.hpp"

namespace ds4::plugins {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "ds4 loads backends on x86-64 and aarch64"
#endif
constexpr unsigned char kByteOrder = ELFDATA2LSB;
constexpr std::uint64_t kMostSymbols = 1u << 20;

template <class T>
std::optional<T> read_at(std::span<const std::byte> bytes, std::uint64_t offset) noexcept {
  const auto end = checked_add(offset, sizeof(T));
  if (!end || *end > bytes.size()) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

template <class... Parts>
Refusal refuse(Reason reason, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return Refusal{reason, text.str()};
}

bool inside(std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) noexcept {
  const auto end = checked_add(offset, bytes);
  return end && *end <= size;
}

}  // namespace

Verdict ElfView::open(std::span<const std::byte> file) {
  file_ = file;
  segments_.clear();
  dynamic_.clear();
  Elf64_Ehdr header;
  if (auto refusal = read_header(header)) return refusal;
  if (auto refusal = read_segments(header)) return refusal;
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_DYNAMIC) read_dynamic(segment);
  }
  if (dynamic_.empty()) {
    return refuse(Reason::not_elf, "has no dynamic section: it is no shared object");
  }
  return std::nullopt;
}

Verdict ElfView::read_header(Elf64_Ehdr& header) const {
  const auto read = read_at<Elf64_Ehdr>(file_, 0);
  if (!read || std::memcmp(read->e_ident, ELFMAG, SELFMAG) != 0) {
    return refuse(Reason::not_elf, "is no ELF file; put a backend's shared object there");
  }
  header = *read;
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    return refuse(Reason::wrong_arch, "is not a 64-bit file; get a build for this machine");
  }
  if (header.e_ident[EI_DATA] != kByteOrder) {
    return refuse(Reason::wrong_arch, "has the other byte order; get a build for this machine");
  }
  if (header.e_machine != kMachine) {
    return refuse(Reason::wrong_arch, "is for ELF machine ", header.e_machine, ", this is ",
                  kMachine, "; get a build for this machine");
  }
  if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_type != ET_DYN) {
    return refuse(Reason::not_elf, "is ELF type ", header.e_type, ", a shared object is type ",
                  ET_DYN);
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum == PN_XNUM) {
    return refuse(Reason::not_elf, "has malformed program headers");
  }
  return std::nullopt;
}

Verdict ElfView::read_segments(const Elf64_Ehdr& header) {
  if (!inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), file_.size())) {
    return refuse(Reason::truncated, "ends before its program headers do; copy it again");
  }
  segments_.resize(header.e_phnum);
  std::memcpy(segments_.data(), file_.data() + header.e_phoff,
              segments_.size() * sizeof(Elf64_Phdr));
  bool loads = false;
  for (const Elf64_Phdr& segment : segments_) {
    const bool is_read =
        segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC || segment.p_type == PT_NOTE;
    if (!is_read) continue;
    if (!inside(segment.p_offset, segment.p_filesz, file_.size())) {
      return refuse(Reason::truncated, "has ", file_.size(), " bytes, a segment needs ",
                    segment.p_filesz, " at ", segment.p_offset, "; copy it again");
    }
    if (segment.p_type != PT_LOAD) continue;
    loads = true;
    if (segment.p_filesz > segment.p_memsz) {
      return refuse(Reason::not_elf, "has a segment that is larger in the file than in memory");
    }
  }
  if (!loads) return refuse(Reason::not_elf, "has no loadable segment");
  return std::nullopt;
}

void ElfView::read_dynamic(const Elf64_Phdr& segment) {
  const auto table = bytes(segment);
  for (std::uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
    const auto entry = read_at<Elf64_Dyn>(table, at);
    if (!entry || entry->d_tag == DT_NULL) return;
    dynamic_.push_back(*entry);
  }
}

std::optional<std::uint64_t> ElfView::dynamic_value(std::int64_t tag) const noexcept {
  std::optional<std::uint64_t> out;
  for (const Elf64_Dyn& entry : dynamic_) {
    if (entry.d_tag == tag) out = entry.d_un.d_val;
  }
  return out;
}

/// The file bytes from a virtual address to the end of its segment.
std::optional<std::span<const std::byte>> ElfView::at_address(std::uint64_t address) const {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const std::uint64_t within = address - segment.p_vaddr;
    if (within < segment.p_filesz) return bytes(segment).subspan(within);
  }
  return std::nullopt;
}

std::optional<std::string_view> ElfView::string(std::uint64_t offset) const noexcept {
  const auto address = dynamic_value(DT_STRTAB);
  const auto size = dynamic_value(DT_STRSZ);
  const auto table = address && size ? at_address(*address) : std::nullopt;
  if (!table || *size > table->size() || offset >= *size) return std::nullopt;
  const char* text = reinterpret_cast<const char*>(table->data()) + offset;
  const std::size_t length = ::strnlen(text, *size - offset);
  if (length == *size - offset) return std::nullopt;
  return std::string_view(text, length);
}

std::optional<std::uint64_t> ElfView::count_by_gnu_hash(std::uint64_t address) const {
  const auto table = at_address(address);
  if (!table) return std::nullopt;
  const auto buckets = read_at<std::uint32_t>(*table, 0);
  const auto first = read_at<std::uint32_t>(*table, 4);
  const auto bloom_words = read_at<std::uint32_t>(*table, 8);
  if (!buckets || !first || !bloom_words) return std::nullopt;
  const std::uint64_t buckets_at = 16 + std::uint64_t{*bloom_words} * 8;
  const std::uint64_t chains_at = buckets_at + std::uint64_t{*buckets} * 4;
  if (chains_at > table->size()) return std::nullopt;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < *buckets; ++i) {
    last = std::max<std::uint64_t>(last, *read_at<std::uint32_t>(*table, buckets_at + i * 4));
  }
  if (last < *first) return *first;
  // The chain of the highest bucket ends at the last symbol: its entry has the lowest bit set.
  for (;; ++last) {
    const auto entry = read_at<std::uint32_t>(*table, chains_at + (last - *first) * 4);
    if (!entry) return std::nullopt;
    if ((*entry & 1u) != 0) return last + 1;
  }
}

std::optional<std::uint64_t> ElfView::symbol_count() const {
  if (const auto address = dynamic_value(DT_GNU_HASH)) return count_by_gnu_hash(*address);
  const auto address = dynamic_value(DT_HASH);
  const auto table = address ? at_address(*address) : std::nullopt;
  if (!table) return std::nullopt;
  return read_at<std::uint32_t>(*table, 4);  // the number of chains is that of symbols
}

std::optional<std::vector<Elf64_Sym>> ElfView::symbols() const {
  const auto count = symbol_count();
  const auto address = dynamic_value(DT_SYMTAB);
  const auto table = address ? at_address(*address) : std::nullopt;
  if (!count || !table || *count > kMostSymbols || *count * sizeof(Elf64_Sym) > table->size()) {
    return std::nullopt;
  }
  std::vector<Elf64_Sym> out(*count);
  if (!out.empty()) std::memcpy(out.data(), table->data(), out.size() * sizeof(Elf64_Sym));
  return out;
}

}  // namespace ds4::plugins
