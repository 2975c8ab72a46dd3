#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/result.hpp"
#include "ds4/backend.h"

namespace ds4::plugins {

/// One shared object that is mapped into this process: the root of every ownership chain.
///
/// It stays mapped when the object goes: closing at the end of a program is the riskiest moment and
/// frees nothing. Only a reload closes it (close_when_released), and never under a sanitizer, whose
/// reports would lose their file names.
class PluginLibrary {
 public:
  /// Opens `path` (absolute) with all symbols bound at once and none made visible to others.
  /// Runs the file's static constructors: check or probe the file first.
  /// Errors: invalid_argument (a relative path), bad_file with the linker's own text.
  static Result<std::shared_ptr<PluginLibrary>> open(const std::filesystem::path& path,
                                                     const LogSink& log);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// The entry for our ABI major, or null when the file does not define it.
  [[nodiscard]] ds4_backend_entry_fn entry() const noexcept { return entry_; }

  /// Asks for a real close when the last owner goes; for backends with DS4_CAP_UNLOAD_SAFE only.
  void close_when_released() noexcept { close_ = true; }

  /// Whether any mapped object of this process was opened from `path`.
  [[nodiscard]] static bool is_mapped(const std::filesystem::path& path);

 private:
  struct Handle;  // holds the one boost::dll::shared_library, so that users compile without it
  PluginLibrary(std::filesystem::path path, std::unique_ptr<Handle> handle);
  std::filesystem::path path_;
  std::unique_ptr<Handle> handle_;
  ds4_backend_entry_fn entry_ = nullptr;
  bool close_ = false;
};

}  // namespace ds4::plugins
