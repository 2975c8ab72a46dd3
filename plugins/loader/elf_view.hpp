#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "loader/reason.hpp"

namespace ds4::plugins {

/// A 64-bit ELF shared object in memory, read with every offset checked.
///
/// Only the parts that a loader uses: program headers, the dynamic section, the dynamic symbols.
/// Safe on any bytes. The bytes outlive the view.
class ElfView {
 public:
  /// Checks 4 and 5: header, machine, program headers, loadable and dynamic segments inside the
  /// file. Refusals: not-elf, wrong-arch, truncated.
  Verdict open(std::span<const std::byte> file);

  [[nodiscard]] std::span<const Elf64_Phdr> segments() const noexcept { return segments_; }
  [[nodiscard]] std::span<const Elf64_Dyn> dynamic() const noexcept { return dynamic_; }
  /// The file bytes of a segment, which lies inside the file.
  [[nodiscard]] std::span<const std::byte> bytes(const Elf64_Phdr& segment) const noexcept {
    return file_.subspan(segment.p_offset, segment.p_filesz);
  }
  /// The value of the last entry with `tag`.
  [[nodiscard]] std::optional<std::uint64_t> dynamic_value(std::int64_t tag) const noexcept;
  /// A text of the dynamic string table; nothing when it is not inside or not terminated.
  [[nodiscard]] std::optional<std::string_view> string(std::uint64_t offset) const noexcept;
  /// All dynamic symbols that the hash table covers; nothing when the tables are malformed.
  [[nodiscard]] std::optional<std::vector<Elf64_Sym>> symbols() const;

 private:
  Verdict read_header(Elf64_Ehdr& header) const;
  Verdict read_segments(const Elf64_Ehdr& header);
  void read_dynamic(const Elf64_Phdr& segment);
  [[nodiscard]] std::optional<std::span<const std::byte>> at_address(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> symbol_count() const;
  [[nodiscard]] std::optional<std::uint64_t> count_by_gnu_hash(std::uint64_t address) const;

  std::span<const std::byte> file_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Dyn> dynamic_;
};

}  // namespace ds4::plugins
