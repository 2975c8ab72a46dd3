#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ds4::plugins {

/// Why a file is not used as a backend, in the order of the checks.
enum class Reason {
  not_a_file,
  bad_owner,
  bad_mode,
  bad_parent,
  not_elf,
  wrong_arch,
  truncated,
  unsafe_elf,
  no_note,
  name_mismatch,
  abi_major,
  abi_minor,
  sanitizer,
  isa,
  no_entry,
  leaks_symbols,
  bad_manifest,  ///< a manifest that cannot be read might pin a hash, so the file is not opened
  hash,
  probe,  ///< opening it in a process of its own crashed, hung or exited
  dlopen,
  changed,
  entry_failed,
  bad_table,
  no_device,
};

/// The code as it is printed: "bad-owner", "abi-minor", ...
[[nodiscard]] std::string_view reason_name(Reason reason) noexcept;
[[nodiscard]] std::optional<Reason> reason_from_name(std::string_view name) noexcept;

/// A file that is not used: the code, and one line that says what, where and what to do.
struct Refusal {
  Reason reason = Reason::not_a_file;
  std::string text;
};

/// Nothing: the check passed.
using Verdict = std::optional<Refusal>;

}  // namespace ds4::plugins
