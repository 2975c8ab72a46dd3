#include "validate/options.hpp"

#include <algorithm>
#include <regex>

#include "common/log_sink.hpp"
#include "common/numbers.hpp"
#include "validate/session.hpp"

namespace ds4::validate {
namespace {

using cli::OptionTable;
using cli::Topic;

Result<void> take_grid(Settings& settings, const std::string& text) {
  if (text == "quick") {
    settings.grid = conformance::Grid::quick;
  } else if (text == "full") {
    settings.grid = conformance::Grid::full;
  } else if (text == "model") {
    settings.grid = conformance::Grid::model;
  } else {
    return fail(Errc::invalid_argument, "expected quick, full or model, got '", text, "'");
  }
  return {};
}

Result<void> take_stages(Settings& settings, const std::string& text) {
  std::string name;
  for (const char c : text + ",") {
    if (c != ',') {
      name += c;
      continue;
    }
    const auto known = stages();
    const bool is_known = std::any_of(known.begin(), known.end(),
                                      [&](const Stage& stage) { return stage.name == name; });
    if (!is_known) {
      std::string all;
      for (const Stage& stage : known) {
        all += (all.empty() ? "" : ", ") + std::string(stage.name);
      }
      return fail(Errc::invalid_argument, "there is no stage '", name, "'; there are ", all);
    }
    settings.stages.push_back(std::exchange(name, {}));
  }
  return {};
}

/// Numbers with commas.
OptionTable::Take store_list(std::vector<std::uint32_t>& target, std::uint64_t low,
                             std::uint64_t high) {
  return [&target, low, high](const std::string& text) -> Result<void> {
    std::string number;
    for (const char c : text + ",") {
      if (c != ',') {
        number += c;
        continue;
      }
      DS4_TRY(const std::uint64_t value, cli::parse_integer(number, low, high));
      target.push_back(static_cast<std::uint32_t>(value));
      number.clear();
    }
    return {};
  };
}

Result<void> take_op(Settings& settings, const std::string& text) {
  try {
    const std::regex checked(text);
  } catch (const std::regex_error&) {
    return fail(Errc::invalid_argument, "'", text, "' is no regular expression");
  }
  settings.op = text;
  return {};
}

Result<void> take_path(std::vector<std::filesystem::path>& paths, const std::string& text) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(text, error);
  if (text.empty() || error)
    return fail(Errc::invalid_argument, "expected a path, got '", text, "'");
  paths.push_back(path.lexically_normal());
  return {};
}

OptionTable::Take store_count(std::uint64_t& target, std::uint64_t low) {
  return [&target, low](const std::string& text) -> Result<void> {
    DS4_TRY(target, cli::parse_integer(text, low, 1ULL << 62));
    return {};
  };
}

void declare_what(OptionTable& table, Settings& s) {
  table.value("--backend", "NAME|FILE", Topic::common, "the backend to judge: a name or a file",
              cli::store_text(s.backend));
  table.value("--device", "N", Topic::common, "its device (default 0)",
              cli::store_integer(s.device, 0, 1023));
  table.value("--grid", "quick|full|model", Topic::common,
              "how many cases (default quick); model: the sizes and types of Flash",
              [&s](const std::string& text) { return take_grid(s, text); });
  table.value(
      "--stage", "LIST", Topic::common, "stages by name, with commas (default all)",
      [&s](const std::string& text) { return take_stages(s, text); },
      OptionTable::Repeat::collected);
  table.value("--op", "RE", Topic::common, "ops whose whole name matches this regular expression",
              [&s](const std::string& text) { return take_op(s, text); });
  table.value("--case", "N", Topic::common, "this case of each op alone",
              [&s](const std::string& text) -> Result<void> {
                DS4_TRY(const std::uint64_t value, cli::parse_integer(text, 0, cli::kMaxInteger));
                s.case_number = static_cast<std::uint32_t>(value);
                return {};
              });
  table.value("--fuzz", "N", Topic::common,
              "N cases of each op with drawn sizes, instead of the grid",
              cli::store_integer(s.fuzz, 1, 1000000));
  table.value("--seed", "S", Topic::common, "where drawn values begin (default 1)",
              store_count(s.seed, 0));
  table.value("--shape", "LIST", Topic::diagnostics,
              "sizes of a drawn case, as a report names them", store_list(s.shape, 0, 1U << 20));
  table.value("--rows", "LIST", Topic::common,
              "row counts of the grid model, 1 to 4096 (default: a few up to 64)",
              store_list(s.model_rows, 1, 4096));
  table.flag("--isolate", Topic::common, "each stage and op in a process of its own",
             [&s] { s.isolates = true; });
  table.flag("--perf", Topic::common,
             "times of ops at the sizes of Flash instead of a judgement (--op, --rows narrow it)",
             [&s] { s.perf = true; });
  table.value("--json", "FILE", Topic::common, "write the report there too",
              cli::store_text(s.json));
  table.value("--tolerance-scale", "F", Topic::diagnostics,
              "multiply limits, to investigate; the report is then not conformant",
              [&s](const std::string& text) -> Result<void> {
                DS4_TRY(s.tolerance_scale, cli::parse_float(text, 1e-6F, 1e6F));
                return {};
              });
  table.value("-m,--model", "FILE", Topic::common,
              "check the layers of this file instead, one after the other",
              [&s](const std::string& text) -> Result<void> {
                s.runtime.model = text;
                s.checks_model = true;
                return {};
              });
  table.flag("--plan", Topic::common,
             "with --model: print the memory that its check takes, and exit",
             [&s] { s.runtime.shows_plan = true; });
  table.value("--tokens", "N", Topic::common, "tokens of that check (default 8)",
              cli::store_integer(s.tokens, 1, 64));
  table.value("--probe", "FILE", Topic::common,
              "open this file in a process of its own and print what it says, as JSON",
              [&s](const std::string& text) -> Result<void> {
                s.probe = text;
                return {};
              });
  table.value("--rows-fd", "N", Topic::diagnostics,
              "write rows to this descriptor (used with --isolate)",
              [&s](const std::string& text) -> Result<void> {
                DS4_TRY(const std::uint64_t value, cli::parse_integer(text, 3, 1023));
                s.rows_fd = static_cast<int>(value);
                return {};
              });
}

void declare_how(OptionTable& table, cli::RuntimeOptions& options) {
  table.value(
      "--backend-path", "PATH", Topic::runtime,
      "a backend file, or a folder of them, to look at first; repeatable",
      [&options](const std::string& text) { return take_path(options.backend_paths, text); },
      OptionTable::Repeat::collected);
  table.value(
      "--backend-option", "B.KEY=VALUE", Topic::runtime, "an option of backend B; repeatable",
      [&options](const std::string& text) {
        return plugins::add_backend_option(options.backend_options, text);
      },
      OptionTable::Repeat::collected);
  table.value(
      "--allow-untrusted-backend", "PATH", Topic::runtime,
      "accept this file or folder whoever owns or can write it; repeatable",
      [&options](const std::string& text) { return take_path(options.allow_untrusted, text); },
      OptionTable::Repeat::collected);
  table.flag("--list-backends", Topic::common, "list every backend found, and exit",
             [&options] { options.list_backends = plugins::ListingStyle::table; });
  table.value("-t,--threads", "N", Topic::runtime,
              "host threads (default: all processors, at most 32)",
              cli::store_integer(options.threads, 1, cli::kMaxThreads));
  table.value("--log-level", "LEVEL", Topic::runtime,
              "error, warning (default), info, debug or trace",
              [&options](const std::string& text) -> Result<void> {
                DS4_TRY(options.log_level, cli::parse_log_level(text));
                return {};
              });
  table.flag("--version", Topic::common, "print version, commit and backends, and exit",
             [&options] { options.shows_version = true; });
  table.optional_value("-h,--help", "TOPIC", Topic::common, "print help and exit",
                       [&options](const std::string& topic) -> Result<void> {
                         options.help = topic;
                         return {};
                       });
}

}  // namespace

OptionTable make_option_table(Settings& settings) {
  OptionTable table("ds4-validate", "Judges a backend against the reference.");
  declare_what(table, settings);
  declare_how(table, settings.runtime);
  std::string text;
  for (const Stage& stage : stages()) {
    text += "  " + std::string(stage.name) + std::string(14 - stage.name.size(), ' ') +
            std::string(stage.says) + "\n";
  }
  table.text_topic("stages", text);
  return table;
}

Result<void> check_settings(Settings& settings) {
  if (settings.runtime.shows_plan && !settings.checks_model) {
    return fail(Errc::invalid_argument, "--plan is of a model's check: --model FILE");
  }
  if (settings.backend.empty() && !settings.runtime.list_backends && settings.probe.empty() &&
      !settings.runtime.shows_plan) {
    return fail(Errc::invalid_argument,
                "which backend? --backend NAME or FILE (--list-backends shows what there is)");
  }
  if (!settings.shape.empty() && settings.fuzz == 0) {
    return fail(Errc::invalid_argument, "--shape belongs to --fuzz");
  }
  if (!settings.model_rows.empty() && settings.grid != conformance::Grid::model && !settings.perf) {
    return fail(Errc::invalid_argument, "--rows belongs to --grid model and --perf");
  }
  if (settings.perf && (settings.checks_model || settings.fuzz != 0 || settings.isolates ||
                        !settings.stages.empty())) {
    return fail(Errc::invalid_argument,
                "--perf judges nothing: it is without --model, --fuzz, --isolate and --stage");
  }
  if (settings.grid == conformance::Grid::model && settings.fuzz != 0) {
    return fail(Errc::invalid_argument, "--grid model has no drawn sizes, --fuzz is without it");
  }
  if (settings.checks_model && (settings.fuzz != 0 || settings.case_number ||
                                !settings.stages.empty() || settings.isolates)) {
    return fail(Errc::invalid_argument,
                "--model is a check of its own, without --fuzz, --case, --stage and --isolate");
  }
  if (settings.backend.find('/') != std::string::npos) {
    DS4_CHECK(take_path(settings.runtime.backend_paths, settings.backend));
    std::rotate(settings.runtime.backend_paths.begin(), settings.runtime.backend_paths.end() - 1,
                settings.runtime.backend_paths.end());
  }
  return {};
}

}  // namespace ds4::validate
