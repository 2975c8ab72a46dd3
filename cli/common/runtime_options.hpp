#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "common/console.hpp"
#include "common/environment.hpp"
#include "common/option_table.hpp"
#include "engine/expert_options.hpp"
#include "loader/search_options.hpp"
#include "plan/plan.hpp"
#include "registry/placement.hpp"
#include "registry/registry.hpp"

namespace ds4::cli {

/// What --shadow asks for.
struct ShadowRequest {
  std::string backend = "cpu-reference";  ///< NAME[:device]
  std::uint32_t every = 1;                ///< checks each Nth step
};

/// What every program that loads a model is told about model, backend and memory.
struct RuntimeOptions {
  std::string model;             ///< empty: DS4_MODEL, then ds4flash.gguf
  std::string backend = "auto";  ///< NAME[:device]
  bool backend_given = false;
  std::optional<plugins::PlacementRequest> placement;  ///< --place, in place of `backend`
  std::vector<std::filesystem::path> backend_paths;
  plugins::BackendOptions backend_options;
  std::vector<std::filesystem::path> allow_untrusted;
  plugins::ProbePolicy probe = plugins::ProbePolicy::automatic;
  std::optional<plugins::ListingStyle> list_backends;
  std::uint32_t context = 32768;
  std::uint32_t threads = 0;  ///< 0: as many as the machine has, at most kMaxThreads
  std::uint32_t prefill_chunk = 512;
  Roundings roundings;
  LogLevel log_level = LogLevel::warning;
  ColorMode color = ColorMode::automatic;
  ExpertCacheOptions experts;  ///< --expert-cache
  std::optional<ShadowRequest> shadow;
  bool shows_plan = false;  ///< --plan
  bool shows_version = false;
  std::optional<std::string> help;  ///< the topic, may be empty
};

inline constexpr std::uint32_t kMaxThreads = 32;
inline constexpr const char* kDefaultModel = "ds4flash.gguf";

/// Adds the shared vocabulary to a table; `options` outlives it.
void declare_runtime_options(OptionTable& table, RuntimeOptions& options);

/// Adds --plan; for programs that then print a plan (plan_report.hpp) instead of loading the model.
void declare_plan_option(OptionTable& table, RuntimeOptions& options);

/// Options that belong to later versions: named so that they fail with a clear line.
void declare_unavailable_options(OptionTable& table);

/// What to look for: the backends of --place, else that of --backend.
[[nodiscard]] std::vector<std::string> backend_requests(const RuntimeOptions& options);

/// Whether the ranges of --place are those of a model with so many layers; a usage error if not.
Result<void> check_placement(const RuntimeOptions& options, std::uint32_t layers);

/// The model file: as given, else from the environment, else the default name.
[[nodiscard]] std::string model_path(const RuntimeOptions& options, const Environment& environment);

/// Where backends are looked for.
[[nodiscard]] plugins::BackendSearchOptions search_options(const RuntimeOptions& options,
                                                           const Environment& environment);

/// The number of threads that `options` stands for on this machine.
[[nodiscard]] std::uint32_t thread_count(const RuntimeOptions& options);

/// An OptionTable::Take that stores an integer of [low, high].
[[nodiscard]] OptionTable::Take store_integer(std::uint32_t& target, std::uint64_t low,
                                              std::uint64_t high);
/// An OptionTable::Take that stores a number of [low, high].
[[nodiscard]] OptionTable::Take store_float(float& target, float low, float high);
/// An OptionTable::Take that stores the text.
[[nodiscard]] OptionTable::Take store_text(std::string& target);

}  // namespace ds4::cli
