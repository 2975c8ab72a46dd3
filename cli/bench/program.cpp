#include "bench/program.hpp"

#include <algorithm>
#include <filesystem>

#include "bench/bench_run.hpp"
#include "bench/chart.hpp"
#include "bench/compare.hpp"
#include "bench/logits.hpp"
#include "bench/ops/ops_program.hpp"
#include "bench/options.hpp"
#include "bench/results.hpp"
#include "common/files.hpp"
#include "common/first_answers.hpp"
#include "common/interrupt.hpp"
#include "common/output_file.hpp"
#include "common/plan_report.hpp"
#include "common/progress.hpp"

namespace ds4::bench {
namespace {

using cli::ExitCode;

constexpr const char* kProgram = "ds4-bench";

struct Call {
  const cli::Console& console;
  const BenchOptions& options;
  const cli::Environment& environment;
  const std::vector<std::string>& arguments;

  [[nodiscard]] std::string model() const { return cli::model_path(options.runtime, environment); }
};

ExitCode report(const cli::Console& console, const Error& error) {
  console.error(error.what);
  return cli::exit_code(error.code);
}

Result<std::vector<BenchRow>> read_rows(const std::string& path) {
  DS4_TRY(const std::string text, cli::read_file(path));
  return parse_csv(text, path);
}

ExitCode finish(const Call& call, Results& results) {
  if (const auto done = results.finish(); !done) return report(call.console, done.error());
  return cli::kSuccess;
}

ExitCode run_sweeps(const Call& call) {
  auto results = Results::open(call.options, call.console);
  if (!results) return report(call.console, results.error());
  const cli::Runtime runtime(call.console, call.options.runtime, call.environment);
  const ExitCode done = bench_backend(runtime, call.options, call.model(), call.options.runtime,
                                      call.arguments, 1, *results);
  return done == cli::kSuccess ? finish(call, *results) : done;
}

bool is_file(const std::string& name) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(name, ignored);
}

ExitCode draw_pair(const Call& call, const std::vector<BenchRow>& a,
                   const std::vector<BenchRow>& b) {
  if (call.options.svg.empty()) return cli::kSuccess;
  const std::string title = call.options.title.empty()
                                ? call.options.compared[0] + ", dashed: " + call.options.compared[1]
                                : call.options.title;
  const auto done = [&]() -> Result<void> {
    DS4_TRY(const std::string chart, draw_chart(medians(a), medians(b), title));
    return cli::write_output(call.options.svg, chart);
  }();
  return done ? cli::kSuccess : report(call.console, done.error());
}

ExitCode print_comparison(const Call& call, const std::vector<BenchRow>& a,
                          const std::vector<BenchRow>& b) {
  const auto text = comparison(a, b, call.options.compared[0], call.options.compared[1]);
  if (!text) return report(call.console, text.error());
  const ExitCode printed = cli::print(call.console, *text);
  const ExitCode drawn = draw_pair(call, a, b);
  return printed == cli::kSuccess ? drawn : printed;
}

ExitCode print_logits_comparison(const Call& call, std::span<const FrontierLogits> a,
                                 std::span<const FrontierLogits> b) {
  const auto text = logits_comparison(a, b, call.options.compared[0], call.options.compared[1]);
  return text ? cli::print(call.console, *text) : report(call.console, text.error());
}

ExitCode compare_logits(const Call& call) {
  std::vector<FrontierLogits> sides[2];
  for (const std::size_t side : {0U, 1U}) {
    const std::string& path = call.options.compared[side];
    const auto text = cli::read_file(path);
    if (!text) return report(call.console, text.error());
    auto rows = parse_logits(*text, path);
    if (!rows) return report(call.console, rows.error());
    sides[side] = *std::move(rows);
  }
  return print_logits_comparison(call, sides[0], sides[1]);
}

ExitCode compare_files(const Call& call) {
  auto a = read_rows(call.options.compared[0]);
  if (!a) return report(call.console, a.error());
  auto b = read_rows(call.options.compared[1]);
  if (!b) return report(call.console, b.error());
  return print_comparison(call, *a, *b);
}

// A B B A: whatever drifts in one direction meanwhile meets both alike.
ExitCode compare_backends(const Call& call) {
  BenchOptions options = call.options;
  if (options.csv.empty()) options.csv = "/dev/null";  // standard output is for the ratios
  auto results = Results::open(options, call.console);
  if (!results) return report(call.console, results.error());
  const cli::Runtime runtime(call.console, options.runtime, call.environment);
  std::vector<BenchRow> a;
  std::vector<BenchRow> b;
  std::uint32_t run = 1;
  for (const int which : {0, 1, 1, 0}) {
    cli::RuntimeOptions where = options.runtime;
    where.backend = options.compared[static_cast<std::size_t>(which)];
    call.console.note("run " + std::to_string(run) + ": " + where.backend);
    const std::size_t before = results->rows().size();
    const ExitCode done =
        bench_backend(runtime, options, call.model(), where, call.arguments, run, *results);
    if (done != cli::kSuccess) return done;
    std::vector<BenchRow>& rows = which == 0 ? a : b;
    const auto& all = results->rows();
    rows.insert(rows.end(), all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
    run += options.repeats;
  }
  const ExitCode printed = print_comparison(call, a, b);
  if (printed != cli::kSuccess || !results->wants_logits()) return printed;
  // The first run is of A and the second of B.
  const std::size_t each = results->logits().size() / 4;
  const std::span<const FrontierLogits> logits(results->logits());
  return print_logits_comparison(call, logits.first(each), logits.subspan(each, each));
}

ExitCode compare(const Call& call) {
  for (const std::string& name : call.options.compared) {
    const bool is_path = name.find('/') != std::string::npos || name.ends_with(".csv");
    if (!is_path || is_file(name)) continue;
    call.console.error("--compare: " + name + ": there is no such file");
    return cli::kFailure;
  }
  const bool first = is_file(call.options.compared[0]);
  const bool second = is_file(call.options.compared[1]);
  if (first && second && !call.options.logits.empty()) {
    call.console.error("--logits has no effect when two files are compared");
    return cli::kUsage;
  }
  if (first != second) {
    call.console.error("--compare: " + call.options.compared[first ? 1 : 0] +
                       " is no file, the other is; compare two files or two backends");
    return cli::kUsage;
  }
  return first ? compare_files(call) : compare_backends(call);
}

std::string loss_line(const Loss& loss) {
  return std::string(loss.what) + " at " + std::to_string(loss.ctx_tokens) +
         " tokens: " + cli::decimals(loss.now, 7) + " of the roofline, was " +
         cli::decimals(loss.before, 7) + " (" +
         cli::decimals(100 * (loss.now / loss.before - 1), 1) + " %)";
}

ExitCode gate(const Call& call) {
  const auto baseline = read_rows(call.options.baseline);
  if (!baseline) return report(call.console, baseline.error());
  auto results = Results::open(call.options, call.console);
  if (!results) return report(call.console, results.error());
  const cli::Runtime runtime(call.console, call.options.runtime, call.environment);
  std::vector<Loss> lost;
  for (int sweep = 0; sweep < kGateSweeps; ++sweep) {
    const std::size_t before = results->rows().size();
    const auto first_run = static_cast<std::uint32_t>(sweep) * call.options.repeats + 1;
    const ExitCode done = bench_backend(runtime, call.options, call.model(), call.options.runtime,
                                        call.arguments, first_run, *results);
    if (done != cli::kSuccess) return done;
    if (results->rows().back().roofline_tps <= 0) {
      call.console.error("--gate: the memory of the device is not probed, so rows have no ratios");
      return cli::kFailure;
    }
    const std::vector<BenchRow> rows(results->rows().begin() + static_cast<std::ptrdiff_t>(before),
                                     results->rows().end());
    auto found = losses(*baseline, rows, kGateShare);
    if (!found) return report(call.console, found.error());
    lost = sweep == 0 ? *std::move(found) : repeated(lost, *found);
    if (lost.empty()) break;
    for (const Loss& loss : lost) call.console.note("slower: " + loss_line(loss));
  }
  const ExitCode done = finish(call, *results);
  if (done != cli::kSuccess) return done;
  if (lost.empty()) {
    call.console.note("gate: no repeatable loss of more than 10 %");
    return cli::kSuccess;
  }
  for (const Loss& loss : lost) {
    call.console.error("in " + std::to_string(kGateSweeps) + " sweeps slower than " +
                       call.options.baseline + ": " + loss_line(loss));
  }
  return cli::kFailure;
}

ExitCode chart(const Call& call) {
  const BenchOptions& options = call.options;
  const auto rows = read_rows(options.charted);
  if (!rows) return report(call.console, rows.error());
  const std::string path = options.svg.empty() ? chart_name(options.charted) : options.svg;
  const std::string title = options.title.empty()
                                ? std::filesystem::path(options.charted).stem().string()
                                : options.title;
  const auto done = [&]() -> Result<void> {
    DS4_TRY(const std::string text, draw_chart(medians(*rows), {}, title));
    return cli::write_output(path, text);
  }();
  if (!done) return report(call.console, done.error());
  call.console.note("wrote " + path);
  return cli::kSuccess;
}

ExitCode run_mode(const Call& call) {
  if (call.options.runtime.shows_plan) {
    const cli::Runtime runtime(call.console, call.options.runtime, call.environment);
    return cli::print_plan(runtime, call.model(), call.options.runtime,
                           bench_engine_options(call.options, runtime.log()), cli::PlanStyle::text);
  }
  const cli::InterruptGuard interrupts(cli::SecondInterrupt::kills);
  switch (call.options.mode) {
    case Mode::compare:
      return compare(call);
    case Mode::compare_logits:
      return compare_logits(call);
    case Mode::gate:
      return gate(call);
    case Mode::chart:
      return chart(call);
    case Mode::sweep:
      break;
  }
  return run_sweeps(call);
}

}  // namespace

ExitCode run_program(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments.front() == "ops") {
    arguments.erase(arguments.begin());
    return run_ops_program(arguments);
  }
  // -sys is a long option in the clothes of a short one.
  std::replace(arguments.begin(), arguments.end(), std::string("-sys"), std::string("--system"));
  BenchOptions options;
  const cli::OptionTable table = make_option_table(options);
  const cli::Environment environment = cli::read_environment();
  auto parsed = table.parse(arguments);
  const cli::Console console(kProgram, options.runtime.color, environment.no_color);
  if (parsed && !cli::only_asks(options.runtime)) parsed = check_options(options);
  if (const auto said = cli::first_answer(console, table, parsed, options.runtime, environment)) {
    return *said;
  }
  return run_mode({console, options, environment, arguments});
}

}  // namespace ds4::bench
