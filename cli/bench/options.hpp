#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/option_table.hpp"
#include "common/runtime_options.hpp"

namespace ds4::bench {

/// What ds4-bench does; exactly one.
enum class Mode {
  sweep,           ///< speed by context
  compare,         ///< two backends, or two files of results
  compare_logits,  ///< two files of logits
  gate,            ///< a sweep against a stored one
  chart            ///< an SVG of a file of results
};

struct BenchOptions {
  cli::RuntimeOptions runtime;
  Mode mode = Mode::sweep;

  std::string prompt_file;       ///< plain text
  std::string chat_prompt_file;  ///< text of one user message
  std::string system = "You are a helpful assistant.";
  bool system_given = false;
  std::uint64_t seed = 1;  ///< of the tokens that are drawn where no text is given

  std::uint32_t first = 2048;  ///< tokens of the first frontier
  std::uint32_t last = 32768;
  std::uint32_t increment = 2048;
  float factor = 1.0F;
  std::uint32_t generated = 128;            ///< decode steps per frontier
  std::optional<std::uint32_t> allocation;  ///< context of the engine
  std::uint32_t repeats = 1;
  bool warms_up = false;
  std::uint64_t probe_bytes = std::uint64_t{2} << 30;  ///< read by the bandwidth probe; 0: none

  std::string csv;  ///< empty: stdout
  std::string json;
  std::string svg;
  std::string title;
  std::string logits;  ///< file of the frontiers' logits
  bool shows_output = false;

  std::vector<std::string> compared;  ///< two backends or files, or files of logits
  std::string baseline;               ///< of --gate
  std::string charted;                ///< of --chart

  /// Context that the engine is opened with.
  [[nodiscard]] std::uint32_t context() const { return allocation.value_or(last + generated + 1); }
};

/// The table of ds4-bench; `options` outlives it.
[[nodiscard]] cli::OptionTable make_option_table(BenchOptions& options);

/// Contradictions that only show when all options are known.
/// Errors: invalid_argument with one line.
Result<void> check_options(const BenchOptions& options);

/// The lengths at which speed is measured, ascending; the last one is always `last`.
[[nodiscard]] std::vector<std::uint32_t> frontiers(const BenchOptions& options);

}  // namespace ds4::bench
