#include "loader/search_path.hpp"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "ds4/backend.h"
#include "loader/note.hpp"

namespace ds4::plugins {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "libds4-backend-";
constexpr std::string_view kSuffix = ".so";

/// "ds4/backends-0": two majors install side by side.
fs::path relative_directory() {
  return fs::path("ds4") / ("backends-" + std::to_string(DS4_ABI_MAJOR));
}

class Search {
 public:
  explicit Search(SearchResult& out) : out_(out) {}

  void directory(const fs::path& path, SearchPlace place) {
    out_.directories.push_back({path, place, read(path, place)});
  }
  void skip(const fs::path& path, SearchPlace place, std::string why) {
    out_.directories.push_back({path, place, std::move(why)});
  }
  void file(const fs::path& path, SearchPlace place) { out_.files.push_back({path, place, true}); }

 private:
  /// Why the directory was not read; empty when it was.
  std::string read(const fs::path& path, SearchPlace place) {
    if (!path.is_absolute()) {
      return "is a relative path; give an absolute one";
    }
    std::error_code code;
    fs::directory_iterator entries(path, code);
    if (code) return code.message();
    std::vector<FoundFile> found;
    for (const fs::directory_iterator end; entries != end; entries.increment(code)) {
      if (code) return code.message();
      if (backend_name_of(entries->path()).empty()) continue;
      found.push_back({entries->path(), place, false});
    }
    // By bytes, so that the outcome does not depend on the order of the directory.
    std::sort(found.begin(), found.end(), [](const FoundFile& a, const FoundFile& b) {
      return a.path.native() < b.path.native();
    });
    out_.files.insert(out_.files.end(), found.begin(), found.end());
    return {};
  }

  SearchResult& out_;
};

void search_explicit(const BackendSearchOptions& options, Search& search) {
  // Files first: a file is taken as is, whatever else is named.
  for (const bool want_files : {true, false}) {
    for (const fs::path& path : options.explicit_paths) {
      std::error_code code;
      const bool is_directory = fs::is_directory(path, code);
      const bool is_file = !is_directory || !backend_name_of(path).empty();
      if (is_file != want_files) continue;
      if (is_file && path.is_absolute()) {
        search.file(path, SearchPlace::explicit_path);
      } else if (is_file) {
        search.skip(path, SearchPlace::explicit_path, "is a relative path; give an absolute one");
      } else {
        search.directory(path, SearchPlace::explicit_path);
      }
    }
  }
}

void search_environment(const BackendSearchOptions& options, Search& search) {
  std::string_view rest = options.environment_path;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string_view entry = rest.substr(0, colon);
    if (!entry.empty()) search.directory(fs::path(entry), SearchPlace::environment);
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
}

}  // namespace

std::string_view place_name(SearchPlace place) noexcept {
  switch (place) {
    case SearchPlace::explicit_path:
      return "--backend-path";
    case SearchPlace::environment:
      return "DS4_BACKEND_PATH";
    case SearchPlace::executable:
      return "beside the program";
    case SearchPlace::install:
      return "install directory";
    case SearchPlace::user:
      return "user directory";
  }
  return "";
}

SearchResult search_backends(const BackendSearchOptions& options) {
  SearchResult out;
  Search search(out);
  if (options.privileged) {
    if (!options.explicit_paths.empty() || !options.environment_path.empty()) {
      search.skip("--backend-path, DS4_BACKEND_PATH", SearchPlace::explicit_path,
                  "ignored: this program runs with another user's rights");
    }
  } else {
    search_explicit(options, search);
    search_environment(options, search);
    if (options.environment_only) return out;
    if (!options.executable.empty()) {
      search.directory(
          (options.executable.parent_path().parent_path() / "lib" / relative_directory())
              .lexically_normal(),
          SearchPlace::executable);
    }
  }
  if (!options.install_directory.empty()) {
    search.directory(options.install_directory, SearchPlace::install);
  }
  if (!options.privileged && !options.user_data_directory.empty()) {
    search.directory(options.user_data_directory / relative_directory(), SearchPlace::user);
  }
  return out;
}

std::string backend_name_of(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::string_view view = name;
  if (!view.starts_with(kPrefix) || !view.ends_with(kSuffix) ||
      view.size() <= kPrefix.size() + kSuffix.size()) {
    return {};
  }
  const std::string_view middle =
      view.substr(kPrefix.size(), view.size() - kPrefix.size() - kSuffix.size());
  return is_backend_name(middle) ? std::string(middle) : std::string();
}

fs::path running_executable() {
  std::error_code code;
  fs::path path = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : path;
}

fs::path configured_install_directory() {
  return fs::path(DS4_INSTALL_BACKEND_DIRECTORY);
}

bool is_secure_execution() noexcept {
  return ::getauxval(AT_SECURE) != 0;
}

BackendSearchOptions default_search_options() {
  BackendSearchOptions options;
  options.executable = running_executable();
  options.probe_program = options.executable;
  options.install_directory = configured_install_directory();
  options.privileged = is_secure_execution();
  return options;
}

}  // namespace ds4::plugins
