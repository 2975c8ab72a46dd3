#include "scene.hpp"

#include <stdlib.h>

#include <fstream>
#include <iterator>

namespace ds4::tests {

namespace fs = std::filesystem;

Scene::Scene() {
  std::string pattern = (fs::temp_directory_path() / "ds4-plugins-XXXXXX").string();
  root_ = ::mkdtemp(pattern.data());
  root_ = fs::canonical(root_);
  plugins::HostOptions options;
  options.log = [this](LogLevel, std::string_view component, std::string_view text) {
    log.push_back(std::string(component) + ": " + std::string(text));
  };
  host = std::make_shared<plugins::HostApi>(options);
}

Scene::~Scene() {
  std::error_code code;
  fs::remove_all(root_, code);
}

fs::path Scene::directory(const std::string& name) const {
  if (fs::create_directories(root_ / name)) fs::permissions(root_ / name, fs::perms(0755));
  return root_ / name;
}

fs::path Scene::add(const std::string& name, const std::string& directory_name,
                    const std::string& as) const {
  const fs::path to = directory(directory_name) / file_name(as.empty() ? name : as);
  fs::copy_file(built_backend(name), to);
  fs::permissions(to, fs::perms(0755));
  return to;
}

plugins::BackendSearchOptions Scene::options() const {
  plugins::BackendSearchOptions out;
  out.explicit_paths = {directory("a")};
  out.environment_only = true;
  out.probe_program = DS4_TEST_PROBE;
  return out;
}

plugins::Registry Scene::scan(const plugins::BackendSearchOptions& options) {
  return plugins::Registry::scan(options, host);
}

const plugins::Candidate* find(const plugins::Registry& registry, const std::string& name) {
  for (const plugins::Candidate& candidate : registry.candidates()) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

fs::path built_backend(const std::string& name) {
  return fs::path(DS4_TEST_BAD_DIRECTORY) / file_name(name);
}

std::string file_name(const std::string& name) {
  return "libds4-backend-" + name + ".so";
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  fs::permissions(path, fs::perms(0644));
}

}  // namespace ds4::tests
