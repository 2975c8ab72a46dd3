#include "validate/program.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/first_answers.hpp"
#include "common/runtime.hpp"
#include "loader/check_file.hpp"
#include "loader/probe.hpp"
#include "validate/isolate.hpp"
#include "validate/layer_plan.hpp"
#include "validate/model_check.hpp"
#include "validate/options.hpp"
#include "validate/session.hpp"

namespace ds4::validate {
namespace {

using cli::ExitCode;
using Clock = std::chrono::steady_clock;

constexpr const char* kProgram = "ds4-validate";
constexpr const char* kReference = "cpu-reference";

/// "acme" of acme, acme:1 and .../libds4-backend-acme.so; with the device.
std::string request_of(const Settings& settings) {
  const bool is_file = settings.backend.find('/') != std::string::npos;
  std::string name = is_file ? plugins::backend_name_of(settings.backend) : settings.backend;
  if (settings.device != 0 && name.find(':') == std::string::npos) {
    name += ':';
    name += std::to_string(settings.device);
  }
  return name;
}

ExitCode probe(const cli::Console& console, const Settings& settings,
               const cli::Environment& environment) {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(settings.probe, error);
  const plugins::BackendSearchOptions search = cli::search_options(settings.runtime, environment);
  const plugins::CheckedFile checked =
      plugins::check_file({file, plugins::SearchPlace::explicit_path, true}, search);
  plugins::ProbeReport report;
  if (checked.refusal) {
    report.name = checked.name;
    report.refusal = checked.refusal;
  } else {
    report = plugins::run_probe(plugins::running_executable(), checked.path, checked.name,
                                search.probe_limit);
  }
  const ExitCode printed = cli::print(console, plugins::probe_to_json(report) + "\n");
  if (printed != cli::kSuccess) return printed;
  return report.refusal ? cli::kBackendUnusable : cli::kSuccess;
}

ExitCode explain(const cli::Console& console, const plugins::Registry& registry,
                 const std::string& request, const Error& error) {
  console.error(error.what);
  if (error.code == Errc::not_found) console.write_error(registry.listing_of(request));
  return cli::selection_exit_code(error.code);
}

Result<Target> find_target(const plugins::Registry& registry, const plugins::Selected& selected) {
  Target target;
  target.path = selected.backend->library().path();
  target.name = selected.backend->name();
  target.device = selected.device;
  if (target.name == kReference) return target;
  auto reference = registry.select(kReference);
  if (!reference) {
    return fail(Errc::not_found,
                "the reference backend, by which others are judged, cannot be "
                "used: ",
                reference.error().what);
  }
  target.reference = reference->backend->library().path();
  return target;
}

void run_stages(Session& session, Report& report) {
  for (const Stage& stage : stages()) {
    if (!session.wants_stage(stage.name)) continue;
    report.begin_stage(stage.name, stage.says);
    stage.run(session);
  }
}

ExitCode judge(const cli::Console& console, Settings& settings,
               const std::vector<std::string>& arguments, const cli::Environment& environment) {
  const auto begin = Clock::now();
  const cli::Runtime runtime(console, settings.runtime, environment);
  const std::string request = request_of(settings);
  if (request.empty() || request.front() == ':') {
    console.error(settings.backend + " is not named libds4-backend-NAME.so");
    return cli::kBackendUnusable;
  }
  const auto selected = runtime.registry().select(request);
  if (!selected) return explain(console, runtime.registry(), request, selected.error());
  const auto target = find_target(runtime.registry(), *selected);
  if (!target) {
    console.error(target.error().what);
    return cli::kBackendUnusable;
  }
  if (settings.checks_model) {
    return check_model(console, settings, runtime, *selected);
  }

  Report report(console, settings);
  Session session(settings, *target, report);
  if (settings.isolates) {
    run_isolated(settings, arguments, report);
  } else {
    if (const Result<void> opened = session.open(); !opened) {
      console.error(opened.error().what);
      return cli::kBackendUnusable;
    }
    if (!settings.rows_fd) {
      (void)cli::print(console, session.title() + ", seed " + std::to_string(settings.seed) + "\n");
    }
    if (settings.perf) {
      report.begin_stage("perf", "time, bytes and operations of ops at the sizes of Flash");
      run_perf(session);
    } else {
      run_stages(session, report);
    }
    report.done();
  }
  const std::chrono::duration<double> taken = Clock::now() - begin;
  report.verdict(session.title(), taken.count());
  if (const Result<void> written = report.write_json(session.title()); !written) {
    console.error(written.error().what);
    return cli::kFailure;
  }
  return report.ok() && report.checked() != 0 ? cli::kSuccess : cli::kFailure;
}

}  // namespace

ExitCode run_program(const std::vector<std::string>& arguments) {
  Settings settings;
  const cli::OptionTable table = make_option_table(settings);
  const cli::Environment environment = cli::read_environment();
  auto parsed = table.parse(arguments);
  const cli::Console console(kProgram, settings.runtime.color, environment.no_color);
  if (parsed && !cli::only_asks(settings.runtime)) parsed = check_settings(settings);
  if (const auto said = cli::first_answer(console, table, parsed, settings.runtime, environment)) {
    return *said;
  }
  if (settings.runtime.shows_plan) return print_model_plan(console, settings);
  if (!settings.probe.empty()) return probe(console, settings, environment);
  return judge(console, settings, arguments, environment);
}

}  // namespace ds4::validate
