#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "common/option_table.hpp"

namespace ds4::bench {

/// Takes a text that is not empty.
[[nodiscard]] cli::OptionTable::Take store_name(std::string& target);
/// Takes whole MiB, at least `low` of them, and stores bytes.
[[nodiscard]] cli::OptionTable::Take store_mebibytes(std::uint64_t& target, std::uint64_t low);

/// A file that an option names; an empty path: the option was not given.
struct NamedFile {
  const char* option;
  std::string path;
  bool is_read = false;
};
/// Results would overwrite each other, or what is read for them. Files that are read may be the
/// same, devices and pipes may stand for more than one.
/// Errors: invalid_argument naming both options.
[[nodiscard]] Result<void> check_files_differ(std::initializer_list<NamedFile> files);
/// The file of facts beside one of rows; empty without one.
[[nodiscard]] std::string facts_path(const std::string& csv);

}  // namespace ds4::bench
