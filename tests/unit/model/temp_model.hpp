#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "model/model_file.hpp"
#include "model/synthetic.hpp"

/// A folder for models of one test, removed with everything in it.
struct TempModels {
  TempModels() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ds4-model-XXXXXX").string();
    BOOST_TEST_REQUIRE((::mkdtemp(pattern.data()) != nullptr));
    folder = pattern;
  }
  ~TempModels() { std::filesystem::remove_all(folder); }

  /// Writes a model and gives its path.
  std::filesystem::path write(const ds4::SyntheticSpec& spec, const std::string& name = "m.gguf") {
    const auto done = ds4::write_synthetic_model(folder / name, spec);
    BOOST_TEST_REQUIRE(done.ok(), done.error().what);
    return folder / name;
  }
  std::filesystem::path folder;
};

inline ds4::SyntheticSpec shape(std::string_view name) {
  auto spec = ds4::SyntheticSpec::make(name);
  BOOST_TEST_REQUIRE(spec.ok());
  return *std::move(spec);
}

inline std::vector<std::byte> read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(in), {}};
  const auto* p = reinterpret_cast<const std::byte*>(chars.data());
  return {p, p + chars.size()};
}
