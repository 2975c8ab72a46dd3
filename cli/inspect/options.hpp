#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "common/option_table.hpp"
#include "common/runtime_options.hpp"

namespace ds4::inspect {

enum class Command { dump, check, hash, diff, plan, tokens };

struct InspectOptions {
  cli::RuntimeOptions runtime;
  Command command = Command::dump;
  std::vector<std::string> files;   ///< of the command line, or the one that -m or DS4_MODEL names
  std::optional<std::string> text;  ///< of tokens; none: standard input
  bool prints_json = false;
  std::string filter;  ///< glob over names of keys and tensors; empty: all
  bool only_metadata = false;
  bool only_tensors = false;
  bool shows_all = false;     ///< whole arrays
  bool reads_values = false;  ///< check: every value of every tensor
  bool only_header = false;   ///< diff, hash: no tensor bytes
  std::uint32_t sessions = 1;
};

/// The table of ds4-inspect; `words` collects the arguments that are no options. Both outlive it.
[[nodiscard]] cli::OptionTable make_option_table(InspectOptions& options,
                                                 std::vector<std::string>& words);

/// Makes command, files and text of the words, and finds contradictions.
/// Errors: invalid_argument with one line.
Result<void> take_words(InspectOptions& options, const std::vector<std::string>& words,
                        const cli::Environment& environment);

}  // namespace ds4::inspect
