#include "common/environment.hpp"

#include <cstdlib>

namespace ds4::cli {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// The XDG rules ignore relative paths.
std::filesystem::path xdg_folder(const char* name, const std::filesystem::path& home,
                                 const char* fallback) {
  const std::filesystem::path path = variable(name);
  if (path.is_absolute()) return path;
  return home.empty() ? std::filesystem::path() : home / fallback;
}

}  // namespace

Environment read_environment() {
  Environment environment;
  environment.model = variable("DS4_MODEL");
  environment.backend_path = variable("DS4_BACKEND_PATH");
  environment.backend_path_only = variable("DS4_BACKEND_PATH_ONLY") == "1";
  environment.no_color = !variable("NO_COLOR").empty();
  environment.home = variable("HOME");
  environment.data_home = xdg_folder("XDG_DATA_HOME", environment.home, ".local/share");
  environment.cache_home = xdg_folder("XDG_CACHE_HOME", environment.home, ".cache");
  return environment;
}

}  // namespace ds4::cli
