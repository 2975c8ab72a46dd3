#include "bench/ops/ops_options.hpp"

#include <algorithm>
#include <regex>

#include "bench/option_values.hpp"
#include "common/numbers.hpp"

namespace ds4::bench {
namespace {

using cli::OptionTable;
using cli::Topic;

constexpr std::uint64_t kMostContext = std::uint64_t{1} << 24;
constexpr std::uint64_t kMostRows = 65536;

OptionTable::Take store_list(std::vector<std::uint32_t>& target, std::uint64_t most) {
  return [&target, most](const std::string& text) -> Result<void> {
    target.clear();
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t comma = std::min(text.find(',', begin), text.size());
      DS4_TRY(const std::uint64_t value,
              cli::parse_integer(std::string_view(text).substr(begin, comma - begin), 1, most));
      target.push_back(static_cast<std::uint32_t>(value));
      begin = comma + 1;
    }
    return {};
  };
}

}  // namespace

OptionTable make_ops_table(OpsOptions& options) {
  OptionTable table(
      "ds4-bench ops",
      "usage: ds4-bench ops [-m FILE] [OPTIONS]\n"
      "Times each kernel of a step by itself, at the shapes and types of a model, over\n"
      "weights that take turns, as a share of what the memory of this machine allows.\n"
      "No tensor is read: without -m the shapes are those of Flash.");
  cli::declare_runtime_options(table, options.runtime);
  table.value("--rows", "LIST", Topic::common,
              "rows of the step: 1 is a decoded token, more are a prefill segment (default 1)",
              store_list(options.rows, kMostRows));
  table.value("--contexts", "LIST", Topic::common,
              "tokens at whose end the step lies, for kernels to which it matters (default "
              "2048,16384,65536)",
              store_list(options.contexts, kMostContext));
  table.value("--op", "REGEX", Topic::common, "only kernels whose whole name matches",
              [&options](const std::string& text) -> Result<void> {
                try {
                  const std::regex valid(text);
                } catch (const std::regex_error&) {
                  return fail(Errc::invalid_argument, "'", text, "' is no regular expression");
                }
                options.filter = text;
                return {};
              });
  table.value("--set-mib", "N", Topic::diagnostics,
              "MiB of weights or stored rows that a kernel goes through in turn (default 1024, "
              "less where memory is short)",
              store_mebibytes(options.set_bytes, 1));
  table.value("--probe-mib", "N", Topic::diagnostics,
              "MiB that the bandwidth probe reads (default 2048, less where memory is short); 0: "
              "no probe, no ratios",
              store_mebibytes(options.probe_bytes, 0));
  table.value("--min-ms", "N", Topic::diagnostics,
              "milliseconds that each kernel is timed for at least (default 200)",
              cli::store_integer(options.least_ms, 1, 3600000));
  table.value("--csv", "FILE", Topic::common,
              "the rows as CSV (default: standard output), with FILE.meta.json about the run; the "
              "table for people then goes to standard output",
              store_name(options.csv));
  table.value("--json", "FILE", Topic::common, "rows and facts of the run as JSON",
              store_name(options.json));
  cli::declare_unavailable_options(table);
  table.unavailable("--shadow", "a shadow in ds4-bench; ds4-validate checks kernels");
  return table;
}

Result<void> check_ops_options(const OpsOptions& options) {
  if (options.runtime.context != cli::RuntimeOptions{}.context) {
    return fail(Errc::invalid_argument, "--ctx is for one context; name them with --contexts");
  }
  if (options.runtime.placement) {
    return fail(Errc::invalid_argument, "ops times one device; --place cannot be used with it");
  }
  const auto most = *std::max_element(options.rows.begin(), options.rows.end());
  const auto least = *std::min_element(options.contexts.begin(), options.contexts.end());
  if (most > least) {
    return fail(Errc::invalid_argument, "--rows ", most, " do not fit into --contexts ", least);
  }
  return check_files_differ({{"--csv", options.csv},
                             {"the facts of --csv", facts_path(options.csv)},
                             {"--json", options.json}});
}

}  // namespace ds4::bench
