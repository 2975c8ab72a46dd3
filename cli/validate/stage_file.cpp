// What the file is and needs, read without running it; then its identity once it is open.
#include <algorithm>
#include <array>
#include <string>

#include "base/mapped_file.hpp"
#include "loader/elf_view.hpp"
#include "validate/session.hpp"

namespace ds4::validate {
namespace {

/// Libraries that bring a thread pool of their own, or that an SDK must not need.
constexpr std::array<std::string_view, 5> kRefused{"libgomp", "libomp", "libiomp", "libboost_",
                                                   "libtbb"};

std::string size_text(std::uint64_t bytes) {
  return std::to_string((bytes + 1023) / 1024) + " KiB";
}

void check_elf(Session& session, std::span<const std::byte> bytes) {
  plugins::ElfView elf;
  Checklist structure("file", "structure");
  const plugins::Verdict refusal = elf.open(bytes);
  structure.expect(!refusal, refusal ? refusal->text : "");
  session.report().add(structure.row(session));
  if (refusal) return;

  Checklist needed("file", "needed libraries");
  std::string names;
  for (const Elf64_Dyn& entry : elf.dynamic()) {
    if (entry.d_tag != DT_NEEDED) continue;
    const auto name = elf.string(entry.d_un.d_val);
    needed.expect(name.has_value(), "a name lies outside the string table");
    if (!name) continue;
    names += (names.empty() ? "" : " ") + std::string(*name);
    const bool is_refused = std::any_of(kRefused.begin(), kRefused.end(), [&](const auto& begin) {
      return name->starts_with(begin);
    });
    needed.expect(!is_refused, "needs " + std::string(*name) +
                                   ": one thread pool per process, no Boost (plugin rules)");
  }
  Row row = needed.row(session);
  if (row.detail.empty()) row.detail = names;
  session.report().add(std::move(row));

  Checklist symbols("file", "exported symbols");
  const auto table = elf.symbols();
  symbols.expect(table.has_value(), "the symbol table is malformed");
  if (table) {
    std::uint32_t entries = 0;
    for (const Elf64_Sym& symbol : *table) {
      const auto name = elf.string(symbol.st_name);
      if (symbol.st_shndx == SHN_UNDEF || !name || name->empty()) {
        const bool is_ours = name && name->starts_with("ds4_");
        symbols.expect(!is_ours, "needs the symbol " + std::string(name.value_or("")));
        continue;
      }
      const bool is_entry = name->starts_with("ds4_backend_entry_");
      entries += is_entry ? 1 : 0;
      const bool is_version = symbol.st_shndx == SHN_ABS;
      symbols.expect(is_entry || is_version, "exports " + std::string(*name));
      symbols.expect(ELF64_ST_BIND(symbol.st_info) != STB_GNU_UNIQUE,
                     std::string(*name) + " is unique: the file would stay mapped after a close");
    }
    symbols.expect(entries >= 1, "exports no ds4_backend_entry_*");
  }
  session.report().add(symbols.row(session));

  Checklist hardening("file", "hardening");
  bool has_relro = false;
  std::uint64_t code = 0;
  std::uint64_t data = 0;
  for (const Elf64_Phdr& segment : elf.segments()) {
    if (segment.p_type == PT_GNU_RELRO) has_relro = true;
    if (segment.p_type == PT_GNU_STACK) {
      hardening.expect((segment.p_flags & PF_X) == 0, "asks for an executable stack");
    }
    if (segment.p_type != PT_LOAD) continue;
    ((segment.p_flags & PF_X) != 0 ? code : data) += segment.p_memsz;
    hardening.expect((segment.p_flags & (PF_W | PF_X)) != (PF_W | PF_X),
                     "has a segment that can be written and run");
  }
  const auto flags = elf.dynamic_value(DT_FLAGS).value_or(0);
  const auto flags_1 = elf.dynamic_value(DT_FLAGS_1).value_or(0);
  hardening.expect(has_relro, "is linked without -z relro");
  hardening.expect((flags & DF_BIND_NOW) != 0 || (flags_1 & DF_1_NOW) != 0 ||
                       elf.dynamic_value(DT_BIND_NOW).has_value(),
                   "is linked without -z now");
  hardening.expect((flags & DF_TEXTREL) == 0 && !elf.dynamic_value(DT_TEXTREL),
                   "has text relocations");
  Row sizes = hardening.row(session);
  if (sizes.detail.empty()) {
    sizes.detail = "code " + size_text(code) + ", data " + size_text(data);
  }
  session.report().add(std::move(sizes));
}

}  // namespace

void run_file(Session& session) {
  auto file = MappedFile::open(session.target().path.string());
  if (file) {
    check_elf(session, file->bytes());
  } else {
    Checklist list("file", "structure");
    list.expect(false, file.error().what);
    session.report().add(list.row(session));
  }
  Checklist identity("file", "identity");
  ds4_backend_info info{};
  info.struct_size = sizeof(info);
  const ds4_status status = session.backend().api().describe(&info, nullptr);
  identity.expect_status(status, DS4_OK, "describe");
  if (status == DS4_OK) {
    for (const char* text : {info.name, info.version, info.vendor, info.build, info.licence}) {
      identity.expect(text != nullptr && *text != '\0', "describe leaves a text empty");
    }
    identity.expect(info.name != nullptr && session.target().name == info.name,
                    "the name in describe is not the file's");
  }
  session.report().add(identity.row(session));
}

}  // namespace ds4::validate
