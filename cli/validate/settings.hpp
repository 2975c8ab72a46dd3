#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/runtime_options.hpp"
#include "tests/conformance/harness/suite.hpp"

namespace ds4::validate {

/// What the command line asks for.
struct Settings {
  cli::RuntimeOptions runtime;  ///< search paths, threads, log level, model
  std::string backend;          ///< NAME[:N] or a file
  std::uint32_t device = 0;
  conformance::Grid grid = conformance::Grid::quick;
  std::string op = ".*";  ///< regular expression; the whole name matches
  std::optional<std::uint32_t> case_number;
  std::uint32_t fuzz = 0;
  std::vector<std::uint32_t> shape;
  std::vector<std::uint32_t> model_rows;  ///< of the grid model; empty: its own
  std::uint64_t seed = 1;
  std::vector<std::string> stages;  ///< empty: all
  bool isolates = false;
  bool perf = false;
  std::string json;   ///< file; empty: none
  std::string probe;  ///< file; empty: none
  double tolerance_scale = 1;
  bool checks_model = false;
  std::uint32_t tokens = 8;
  std::uint64_t memory_bytes = 4ULL << 30;  ///< of the model check
  std::optional<int> rows_fd;               ///< of an isolated child: where rows go
};

/// What all stages work on: the file that was chosen, and how it is opened.
struct Target {
  std::filesystem::path path;
  std::string name;
  std::uint32_t device = 0;
  std::filesystem::path reference;  ///< the reference backend; empty: the target is it
};

}  // namespace ds4::validate
