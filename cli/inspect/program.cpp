#include "inspect/program.hpp"

#include <filesystem>
#include <utility>

#include "common/first_answers.hpp"
#include "common/runtime.hpp"
#include "inspect/check.hpp"
#include "inspect/diff.hpp"
#include "inspect/dump.hpp"
#include "inspect/hash.hpp"
#include "inspect/options.hpp"
#include "inspect/plan.hpp"
#include "inspect/tokens.hpp"
#include "model/synthetic.hpp"

namespace ds4::inspect {
namespace {

using cli::ExitCode;

constexpr const char* kProgram = "ds4-inspect";

ExitCode print(const cli::Console& console, const Result<std::string>& text) {
  if (text) return cli::print(console, *text);
  console.error(text.error().what);
  return cli::exit_code(text.error().code);
}

ExitCode run_diff(const cli::Console& console, const InspectOptions& options) {
  const auto found = diff_files(options);
  if (!found) return print(console, found.error());
  const ExitCode printed = cli::print(console, found->text);
  return printed == cli::kSuccess && found->differs ? cli::kFailure : printed;
}

ExitCode run_plan(const cli::Console& console, const InspectOptions& options,
                  const cli::Environment& environment) {
  const auto model = cli::open_model(options.files.front(), ModelChecks::header);
  if (!model) return print(console, model.error());
  // A device is woken only when it is named: the file alone has most of the answer.
  if (!options.runtime.backend_given && !options.runtime.placement) {
    return print(console, plan_model(*model, options, {}));
  }
  const std::uint32_t layers = model->config().layers;
  if (const auto fitting = cli::check_placement(options.runtime, layers); !fitting) {
    console.error(fitting.error().what);
    return cli::kUsage;
  }
  const cli::Runtime runtime(console, options.runtime, environment);
  cli::OpenDevices devices;
  const ExitCode opened = runtime.open_devices(options.runtime, devices);
  if (opened != cli::kSuccess) return opened;
  const auto placed = devices.for_layers(layers);
  return print(console, placed ? plan_model(*model, options, *placed) : placed.error());
}

ExitCode run_command(const cli::Console& console, const InspectOptions& options,
                     const cli::Environment& environment) {
  for (const std::string& file : options.files) {
    std::error_code ignored;
    if (is_synthetic_name(file) || std::filesystem::exists(file, ignored)) continue;
    console.error("there is no file " + file +
                  "; name one behind the command, with -m FILE or DS4_MODEL");
    return cli::kFailure;
  }
  switch (options.command) {
    case Command::dump:
      return print(console, dump_file(options));
    case Command::check:
      return print(console, check_file(options));
    case Command::hash:
      return print(console, hash_file(options));
    case Command::diff:
      return run_diff(console, options);
    case Command::plan:
      return run_plan(console, options, environment);
    case Command::tokens:
      break;
  }
  return print(console, show_tokens(options));
}

}  // namespace

ExitCode run_program(const std::vector<std::string>& arguments) {
  InspectOptions options;
  std::vector<std::string> words;
  const cli::OptionTable table = make_option_table(options, words);
  const cli::Environment environment = cli::read_environment();
  auto parsed = table.parse(arguments);
  const cli::Console console(kProgram, options.runtime.color, environment.no_color);
  if (parsed && !cli::only_asks(options.runtime)) parsed = take_words(options, words, environment);
  if (const auto said = cli::first_answer(console, table, parsed, options.runtime, environment)) {
    return *said;
  }
  return run_command(console, options, environment);
}

}  // namespace ds4::inspect
