#include "run/program.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/first_answers.hpp"
#include "common/plan_report.hpp"
#include "common/runtime.hpp"
#include "engine/session_file.hpp"
#include "run/chat.hpp"
#include "run/dump_tokens.hpp"
#include "run/inspect.hpp"
#include "run/measure.hpp"
#include "run/one_shot.hpp"
#include "run/prompt.hpp"
#include "run/report.hpp"

namespace ds4::run {
namespace {

using cli::ExitCode;

constexpr const char* kProgram = "ds4-run";

ExitCode report_error(const cli::Console& console, const Error& error) {
  console.error(error.what);
  return cli::exit_code(error.code);
}

// The modes for which the file alone is enough.
ExitCode read_model_only(const cli::Console& console, const RunOptions& options,
                         const std::string& path, const std::string* maybe_prompt) {
  if (options.mode == Mode::inspect) {
    const auto model = cli::open_model(path);
    return model ? cli::print(console, model_summary(*model))
                 : report_error(console, model.error());
  }
  const auto text = [&]() -> Result<std::string> {
    DS4_TRY(const ModelFile model, cli::open_model(path));
    DS4_TRY(const Tokenizer tokenizer, cli::open_tokenizer(model.gguf(), {}));
    return dump_tokens(tokenizer, *maybe_prompt);
  }();
  return text ? cli::print(console, *text) : report_error(console, text.error());
}

ExitCode print_report(const cli::Console& console, const RunOptions& options,
                      const cli::Environment& environment, const cli::Runtime& runtime) {
  std::string text = system_report(runtime, options, environment);
  cli::OpenDevices devices;
  const ExitCode opened = runtime.open_devices(options.runtime, devices);
  if (opened == cli::kSuccess) {
    const std::string path = cli::model_path(options.runtime, environment);
    auto session = Session::open(console, options, path, std::move(devices), runtime.log());
    text += session ? model_report(**session)
                    : "\n## Model\nnot loaded: " + session.error().what + "\n";
  }
  const ExitCode printed = cli::print(console, without_home(text, environment.home.string()));
  return opened == cli::kSuccess ? printed : opened;
}

// Whether the file holds a model that this mode can talk to: before its weights are read. Gives the
// number of its layers.
Result<std::uint32_t> check_model(const RunOptions& options, const std::string& path) {
  DS4_TRY(const ModelFile model, cli::open_model(path));
  const bool chats = options.mode == Mode::generate && !options.is_raw;
  const auto tokenizer =
      cli::open_tokenizer(model.gguf(), {}, chats ? ChatTokens::required : ChatTokens::optional);
  if (!tokenizer) return tokenizer.error();
  return model.config().layers;
}

ExitCode run_model(const cli::Console& console, const RunOptions& options,
                   const cli::Environment& environment, const cli::Runtime& runtime,
                   const std::string* maybe_prompt) {
  // The file is looked at before a device is woken up: a wrong name is the commonest mistake.
  const std::string path = cli::model_path(options.runtime, environment);
  const auto layers = check_model(options, path);
  if (!layers) return report_error(console, layers.error());
  if (const auto fitting = cli::check_placement(options.runtime, *layers); !fitting) {
    console.error(fitting.error().what);
    return cli::kUsage;
  }
  if (!options.kv_load.empty()) {
    if (auto can = check_saved_session(options.kv_load); !can) {
      return report_error(console, can.error());
    }
  }
  if (!options.kv_save.empty()) {
    if (auto can = check_session_file(options.kv_save); !can) {
      return report_error(console, can.error());
    }
  }
  cli::OpenDevices devices;
  if (const ExitCode opened = runtime.open_devices(options.runtime, devices);
      opened != cli::kSuccess) {
    return opened;
  }
  std::shared_ptr<plugins::Device> shadow;
  if (const ExitCode opened = runtime.open_shadow(options.runtime.shadow, shadow);
      opened != cli::kSuccess) {
    return opened;
  }
  auto session = Session::open(console, options, path, std::move(devices), runtime.log(),
                               measured_rows(options), std::move(shadow));
  if (!session) return report_error(console, session.error());
  if (!options.kv_load.empty()) {
    if (auto loaded = (*session)->load_state(options.kv_load); !loaded) {
      return report_error(console, loaded.error());
    }
  }
  const auto done =
      options.mode != Mode::generate ? run_measurement(console, options, **session, maybe_prompt)
      : maybe_prompt != nullptr      ? run_one_shot(console, options, **session, *maybe_prompt)
                                     : run_chat(console, options, **session, environment.home);
  (*session)->say_shadow(console);
  if (!options.hides_timing) (*session)->say_experts(console);
  if (!done) return report_error(console, done.error());
  if (!options.kv_save.empty()) {
    if (auto saved = (*session)->save_state(options.kv_save); !saved) {
      const ExitCode failed = report_error(console, saved.error());
      return *done == cli::kSuccess ? failed : *done;
    }
  }
  return *done;
}

bool needs_prompt(Mode mode) {
  return mode == Mode::dump_tokens || mode == Mode::dump_logits || mode == Mode::dump_logprobs ||
         mode == Mode::decode_consistency;
}

bool takes_prompt(Mode mode) {
  return mode == Mode::generate || needs_prompt(mode);
}

ExitCode run_mode(const cli::Console& console, const RunOptions& options,
                  const cli::Environment& environment) {
  if (options.runtime.shows_plan) {
    const cli::Runtime runtime(console, options.runtime, environment);
    EngineOptions engine = session_options(options, runtime.log(), measured_rows(options));
    if (const ExitCode opened = runtime.open_shadow(options.runtime.shadow, engine.shadow.device);
        opened != cli::kSuccess) {
      return opened;
    }
    return cli::print_plan(runtime, cli::model_path(options.runtime, environment), options.runtime,
                           engine,
                           options.prints_json ? cli::PlanStyle::json : cli::PlanStyle::text);
  }
  std::optional<std::string> prompt;
  if (takes_prompt(options.mode)) {
    auto text = prompt_text(options, console);
    if (!text) return report_error(console, text.error());
    prompt = *std::move(text);
  }
  const bool reads_terminal = !prompt && options.mode == Mode::generate;
  if (!prompt && needs_prompt(options.mode)) {
    console.error(options.mode_option + " needs a prompt: -p TEXT, --prompt-file FILE or a pipe");
    return cli::kUsage;
  }
  if (reads_terminal && (options.prints_json || options.is_raw)) {
    console.error(std::string(options.prints_json ? "--json" : "--raw-prompt") +
                  " needs a prompt: -p TEXT, --prompt-file FILE or a pipe");
    return cli::kUsage;
  }
  const std::string* const maybe_prompt = prompt ? &*prompt : nullptr;
  if (options.mode == Mode::inspect || options.mode == Mode::dump_tokens) {
    return read_model_only(console, options, cli::model_path(options.runtime, environment),
                           maybe_prompt);
  }
  const cli::Runtime runtime(console, options.runtime, environment);
  if (options.mode == Mode::report) return print_report(console, options, environment, runtime);
  return run_model(console, options, environment, runtime, maybe_prompt);
}

}  // namespace

ExitCode run_program(std::vector<std::string> arguments) {
  // -sys is a long option in the clothes of a short one.
  std::replace(arguments.begin(), arguments.end(), std::string("-sys"), std::string("--system"));
  RunOptions options;
  const cli::OptionTable table = make_option_table(options);
  const cli::Environment environment = cli::read_environment();
  auto parsed = table.parse(arguments);
  const cli::Console console(kProgram, options.runtime.color, environment.no_color);
  if (parsed) parsed = check_options(options);
  if (const auto said = cli::first_answer(console, table, parsed, options.runtime, environment)) {
    return *said;
  }
  cli::resolve_seed(options.sampling);
  return run_mode(console, options, environment);
}

}  // namespace ds4::run
