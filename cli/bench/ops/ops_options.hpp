#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/option_table.hpp"
#include "common/runtime_options.hpp"

namespace ds4::bench {

/// What `ds4-bench ops` is asked for.
struct OpsOptions {
  cli::RuntimeOptions runtime;  ///< an empty model: the shapes of Flash
  std::vector<std::uint32_t> rows = {1};
  std::vector<std::uint32_t> contexts = {2048, 16384, 65536};
  std::string filter = ".*";  ///< a whole kernel name
  std::uint64_t set_bytes = std::uint64_t{1} << 30;
  std::uint64_t probe_bytes = std::uint64_t{2} << 30;
  std::uint32_t least_ms = 200;  ///< that a kernel is timed for
  std::string csv;               ///< empty: stdout
  std::string json;

  /// The model whose shapes are timed.
  [[nodiscard]] std::string model() const {
    return runtime.model.empty() ? "synthetic:flash" : runtime.model;
  }
};

/// The table of `ds4-bench ops`; `options` outlives it.
[[nodiscard]] cli::OptionTable make_ops_table(OpsOptions& options);

/// Contradictions that only show when all options are known.
/// Errors: invalid_argument with one line.
Result<void> check_ops_options(const OpsOptions& options);

}  // namespace ds4::bench
