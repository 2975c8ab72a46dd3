#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "loader/search_options.hpp"

namespace ds4::plugins {

/// The places of the search, in their order.
enum class SearchPlace { explicit_path, environment, executable, install, user };

[[nodiscard]] std::string_view place_name(SearchPlace place) noexcept;

/// A directory that was considered. `skipped` says why it was not read; empty when it was.
struct SearchedDirectory {
  std::filesystem::path path;
  SearchPlace place = SearchPlace::explicit_path;
  std::string skipped;
};

/// A file that may be a backend.
struct FoundFile {
  std::filesystem::path path;  ///< absolute, as it was found
  SearchPlace place = SearchPlace::explicit_path;
  bool named_by_user = false;  ///< a file given by --backend-path, not one of a directory
};

struct SearchResult {
  std::vector<SearchedDirectory> directories;
  std::vector<FoundFile> files;  ///< search order; within a directory by bytes of the name
};

/// Lists what the options name, without opening a file. Relative entries are refused: they show up
/// among the directories with a text. The current directory and the linker's path are never read.
[[nodiscard]] SearchResult search_backends(const BackendSearchOptions& options);

/// The name in `libds4-backend-<name>.so`, or empty when a file is not named like that.
[[nodiscard]] std::string backend_name_of(const std::filesystem::path& file);

}  // namespace ds4::plugins
