#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/registry.hpp"

namespace ds4::tests {

/// An empty directory of this process with backends in it, removed at the end.
class Scene {
 public:
  Scene();
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  /// A directory below the root, made when it is not there.
  std::filesystem::path directory(const std::string& name) const;
  /// Copies the built backend `name` into a directory of the scene, under `as` (default: its name).
  std::filesystem::path add(const std::string& name, const std::string& directory = "a",
                            const std::string& as = {}) const;

  /// Options that look into directory "a" only and probe with the test's program.
  [[nodiscard]] plugins::BackendSearchOptions options() const;
  /// Scans with `options`, collecting what is logged.
  plugins::Registry scan(const plugins::BackendSearchOptions& options);

  std::vector<std::string> log;
  std::shared_ptr<plugins::HostApi> host;

 private:
  std::filesystem::path root_;
};

/// The candidate of that name, or null.
const plugins::Candidate* find(const plugins::Registry& registry, const std::string& name);

/// The file of a built backend.
std::filesystem::path built_backend(const std::string& name);
std::string file_name(const std::string& name);
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace ds4::tests
