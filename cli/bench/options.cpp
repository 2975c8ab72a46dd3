#include "bench/options.hpp"

#include <algorithm>
#include <cmath>

#include "bench/option_values.hpp"
#include "common/expert_cache.hpp"
#include "common/numbers.hpp"

namespace ds4::bench {
namespace {

using cli::OptionTable;
using cli::Topic;

Result<void> set_mode(BenchOptions& options, Mode mode) {
  if (options.mode != Mode::sweep) {
    return fail(Errc::invalid_argument,
                "--compare, --compare-logits, --gate and --chart exclude each other");
  }
  options.mode = mode;
  return {};
}

OptionTable::Take choose(BenchOptions& options, Mode mode, std::string& target) {
  return [&options, mode, take = store_name(target)](const std::string& text) -> Result<void> {
    DS4_CHECK(set_mode(options, mode));
    return take(text);
  };
}

OptionTable::Take store_pair(BenchOptions& options, Mode mode) {
  return [&options, mode](const std::string& text) -> Result<void> {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos || comma == 0 || comma + 1 == text.size() ||
        text.find(',', comma + 1) != std::string::npos) {
      return fail(Errc::invalid_argument, "expected A,B: two ",
                  mode == Mode::compare ? "backends or two files of results" : "files of logits");
    }
    DS4_CHECK(set_mode(options, mode));
    options.compared = {text.substr(0, comma), text.substr(comma + 1)};
    return {};
  };
}

void declare_prompt(OptionTable& table, BenchOptions& options) {
  table.value("--prompt-file", "FILE", Topic::common,
              "the text to evaluate; without one, ordinary tokens are drawn",
              store_name(options.prompt_file));
  table.value("--chat-prompt-file", "FILE", Topic::common,
              "the text of one user message, thinking off", store_name(options.chat_prompt_file));
  table.value("--system", "TEXT", Topic::common, "system text of --chat-prompt-file, also -sys",
              [&options](const std::string& text) -> Result<void> {
                options.system = text;
                options.system_given = true;
                return {};
              });
  table.value("--seed", "N", Topic::common, "seed of the drawn tokens (default 1)",
              [&options](const std::string& text) -> Result<void> {
                DS4_TRY(options.seed, cli::parse_integer(text, 0, cli::kMaxInteger));
                return {};
              });
}

void declare_sweep(OptionTable& table, BenchOptions& options) {
  const auto count = [](std::uint32_t& target, std::uint64_t low) {
    return cli::store_integer(target, low, cli::kMaxInteger / 4);
  };
  table.value("--ctx-start", "N", Topic::common, "tokens of the first frontier (default 2048)",
              count(options.first, 1));
  table.value("--ctx-max", "N", Topic::common,
              "tokens of the last frontier, always measured (default 32768)",
              count(options.last, 1));
  table.value("--step-incr", "N", Topic::common, "tokens between frontiers (default 2048)",
              count(options.increment, 1));
  table.value("--step-mul", "F", Topic::common,
              "above 1: each frontier is F times the one before instead",
              cli::store_float(options.factor, 1.0F, 1024.0F));
  table.value("-n,--gen-tokens,--tokens", "N", Topic::common,
              "tokens decoded at each frontier, 0 for none (default 128)",
              count(options.generated, 0));
  table.value("--ctx-alloc", "N", Topic::runtime,
              "context of the engine (default: the last frontier, the decoded tokens and one)",
              [&options, count](const std::string& text) -> Result<void> {
                std::uint32_t value = 0;
                DS4_CHECK(count(value, 1)(text));
                options.allocation = value;
                return {};
              });
  table.value("--repeat", "R", Topic::common, "sweeps; each is listed (default 1)",
              cli::store_integer(options.repeats, 1, 1000));
  table.flag("--warmup", Topic::common,
             "one small evaluation of each engine first that is not counted",
             [&options] { options.warms_up = true; });
  table.value("--probe-mib", "N", Topic::diagnostics,
              "MiB that the bandwidth probe reads (default 2048, less where memory is short); 0: "
              "no probe, no ratios",
              store_mebibytes(options.probe_bytes, 0));
}

void declare_results(OptionTable& table, BenchOptions& options) {
  table.value("--csv", "FILE", Topic::common,
              "the rows as CSV (default: standard output), with FILE.meta.json about the run",
              store_name(options.csv));
  table.value("--json", "FILE", Topic::common, "rows, medians and facts of the run as JSON",
              store_name(options.json));
  table.value("--svg", "FILE", Topic::common, "a chart of the rows", store_name(options.svg));
  table.value("--title", "TEXT", Topic::common, "title of the chart",
              cli::store_text(options.title));
  table.flag("--show-output", Topic::diagnostics, "decoded tokens as text on standard error",
             [&options] { options.shows_output = true; });
  table.value("--compare", "A,B", Topic::common,
              "ratios of two backends, swept in the order A B B A, or of two CSV files",
              store_pair(options, Mode::compare));
  table.value("--logits", "FILE", Topic::diagnostics,
              "logits of the last row of each frontier as CSV, a line each",
              store_name(options.logits));
  table.value("--compare-logits", "A,B", Topic::diagnostics,
              "how far the logits of two such files are apart, and exit",
              store_pair(options, Mode::compare_logits));
  table.value("--gate", "CSV", Topic::common,
              "exit with 1 when a ratio to the roofline is more than 10 % below that of CSV in "
              "three sweeps",
              choose(options, Mode::gate, options.baseline));
  table.value("--chart", "CSV", Topic::common, "draw a file of results and exit",
              choose(options, Mode::chart, options.charted));
}

Result<void> check_files(const BenchOptions& options) {
  const bool has_two = options.compared.size() == 2;  // files, or names of backends
  return check_files_differ({{"--gate", options.baseline, true},
                             {"--chart", options.charted, true},
                             {"--compare", has_two ? options.compared[0] : "", true},
                             {"--compare", has_two ? options.compared[1] : "", true},
                             {"--prompt-file", options.prompt_file, true},
                             {"--chat-prompt-file", options.chat_prompt_file, true},
                             {"--csv", options.csv},
                             {"the facts of --csv", facts_path(options.csv)},
                             {"--json", options.json},
                             {"--svg", options.svg},
                             {"--logits", options.logits}});
}

}  // namespace

OptionTable make_option_table(BenchOptions& options) {
  OptionTable table(
      "ds4-bench",
      "usage: ds4-bench [-m FILE] [OPTIONS]\n"
      "       ds4-bench ops [OPTIONS]     times of single kernels; see ds4-bench ops --help\n"
      "Speed by length of context: at each frontier the tokens since the one before are\n"
      "evaluated, some are decoded, and the state goes back. Every row has the ratio to what\n"
      "the memory of this machine allows, probed in the same process.");
  cli::declare_runtime_options(table, options.runtime);
  cli::declare_plan_option(table, options.runtime);
  cli::declare_expert_option(table, options.runtime);
  declare_prompt(table, options);
  declare_sweep(table, options);
  declare_results(table, options);
  cli::declare_unavailable_options(table);
  table.unavailable("--shadow",
                    "a shadow in ds4-bench, where checking every op would be what is timed; "
                    "ds4-run --shadow checks");
  return table;
}

Result<void> check_options(const BenchOptions& options) {
  DS4_CHECK(check_files(options));
  if (options.mode == Mode::chart || options.mode == Mode::compare_logits) {
    if (options.logits.empty()) return {};
    return fail(Errc::invalid_argument, "--logits has no effect without a sweep");
  }
  if (options.runtime.context != cli::RuntimeOptions{}.context) {
    return fail(Errc::invalid_argument,
                "--ctx is for one context; name the frontiers with --ctx-start and --ctx-max, and "
                "the memory with --ctx-alloc");
  }
  if (!options.prompt_file.empty() && !options.chat_prompt_file.empty()) {
    return fail(Errc::invalid_argument,
                "--prompt-file and --chat-prompt-file cannot be used together");
  }
  if (options.system_given && options.chat_prompt_file.empty()) {
    return fail(Errc::invalid_argument,
                "--system has no effect without --chat-prompt-file, whose message it precedes");
  }
  if (options.first > options.last) {
    return fail(Errc::invalid_argument, "--ctx-start ", options.first, " lies behind --ctx-max ",
                options.last);
  }
  if (options.allocation && *options.allocation <= options.last + options.generated) {
    return fail(Errc::invalid_argument, "--ctx-alloc ", *options.allocation,
                " must exceed --ctx-max and --gen-tokens together, ",
                options.last + options.generated);
  }
  if (!options.svg.empty() && options.mode != Mode::compare && options.first == options.last) {
    return fail(Errc::invalid_argument,
                "--svg draws at least two contexts, --ctx-start is --ctx-max");
  }
  if (options.mode == Mode::gate && options.generated < 2) {
    return fail(Errc::invalid_argument, "--gate compares steady decoding; -n must be at least 2");
  }
  if (options.mode == Mode::gate && options.probe_bytes == 0) {
    return fail(Errc::invalid_argument, "--gate compares ratios; it needs the probe");
  }
  if (options.mode == Mode::compare && options.runtime.placement) {
    return fail(Errc::invalid_argument,
                "--compare names two backends; --place cannot be used together with it");
  }
  if (options.mode == Mode::compare && !options.json.empty()) {
    return fail(Errc::invalid_argument, "--json has no effect together with --compare");
  }
  return {};
}

std::vector<std::uint32_t> frontiers(const BenchOptions& options) {
  std::vector<std::uint32_t> out;
  double at = options.first;
  while (at < options.last) {
    out.push_back(static_cast<std::uint32_t>(at));
    const double next =
        options.factor > 1 ? std::ceil(at * double{options.factor}) : at + options.increment;
    at = std::max(next, at + 1);
  }
  out.push_back(options.last);
  return out;
}

}  // namespace ds4::bench
