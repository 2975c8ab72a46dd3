#pragma once

#include <filesystem>
#include <string>

namespace ds4::cli {

/// Everything that programs take from the environment; read once, then passed on as options.
struct Environment {
  std::string model;         ///< DS4_MODEL
  std::string backend_path;  ///< DS4_BACKEND_PATH
  bool backend_path_only = false;
  bool no_color = false;             ///< NO_COLOR, set and not empty
  std::filesystem::path home;        ///< HOME; empty when unset
  std::filesystem::path data_home;   ///< XDG_DATA_HOME or ~/.local/share; empty without a home
  std::filesystem::path cache_home;  ///< XDG_CACHE_HOME or ~/.cache; empty without a home
};

[[nodiscard]] Environment read_environment();

}  // namespace ds4::cli
