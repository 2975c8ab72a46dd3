#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/synthetic.hpp"

namespace ds4::make_model {

/// What the command line says.
struct Options {
  std::string out;
  std::string shape = "tiny";
  std::uint64_t seed = 1;
  std::string naming = "ds4";
  std::string types;
  std::string holes = "none";
  std::optional<std::uint32_t> layers;
  std::vector<std::uint32_t> ratios;
  std::optional<std::uint32_t> hash_layers;
  std::optional<std::uint32_t> top_k;
  std::optional<std::uint32_t> window;
  std::optional<std::uint32_t> vocab;
  std::optional<std::uint32_t> experts;
  std::optional<std::uint32_t> stored_experts;
  std::uint32_t threads = 0;  ///< 0: all processors
  bool has_mtp = false;
  bool overwrites = false;
  bool only_sizes = false;
};

void declare(CLI::App& app, Options& options);

/// Errors: invalid_argument.
Result<SyntheticSpec> make_spec(const Options& options);

}  // namespace ds4::make_model
