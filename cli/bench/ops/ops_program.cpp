#include "bench/ops/ops_program.hpp"

#include <memory>

#include "bench/ops/op_rows.hpp"
#include "bench/ops/ops_options.hpp"
#include "bench/ops/ops_run.hpp"
#include "bench/option_values.hpp"
#include "bench/probe_devices.hpp"
#include "bench/row_file.hpp"
#include "common/first_answers.hpp"
#include "common/interrupt.hpp"
#include "common/output_file.hpp"
#include "common/runtime.hpp"

namespace ds4::bench {
namespace {

using cli::ExitCode;

/// Where rows go as they come.
class OpResults {
 public:
  OpResults(const OpsOptions& options, const cli::Console& console)
      : options_(options), console_(console) {}

  Result<void> open() {
    if (!options_.json.empty()) {
      DS4_TRY([[maybe_unused]] const cli::OutputFile can, cli::OutputFile::open(options_.json));
    }
    if (options_.csv.empty()) return {};
    DS4_TRY(csv_, RowFile::open(options_.csv));
    return {};
  }

  Result<void> describe(const RunFacts& facts) {
    facts_ = facts;
    if (!csv_.is_open()) return write(ops_csv_header());
    DS4_CHECK(csv_.begin(ops_csv_header()));
    if (!csv_.is_regular()) return {};
    return cli::write_output(facts_path(options_.csv), facts_json(facts_));
  }

  Result<void> add(const OpRow& row) {
    rows_.push_back(row);
    return csv_.is_open() ? csv_.add(ops_csv_line(row)) : write(ops_csv_line(row));
  }

  [[nodiscard]] bool has_rows() const noexcept { return !rows_.empty(); }

  Result<void> finish() {
    if (csv_.is_open()) DS4_CHECK(write(ops_table(rows_)));
    if (options_.json.empty()) return {};
    return cli::write_output(options_.json, ops_json(facts_, rows_));
  }

 private:
  Result<void> write(const std::string& text) const {
    if (console_.write(text)) return {};
    return fail(Errc::io, "standard output does not take the results");
  }

  const OpsOptions& options_;
  const cli::Console& console_;
  RowFile csv_;
  RunFacts facts_;
  std::vector<OpRow> rows_;
};

Result<void> run_on(const cli::Runtime& runtime, const OpsOptions& options, const ModelFile& model,
                    const cli::OpenDevices& devices, const std::vector<std::string>& arguments,
                    OpResults& results) {
  const std::shared_ptr<plugins::Device>& device = devices.devices.front();
  DS4_TRY(const BandwidthProbe memory,
          probe_devices(runtime, options.probe_bytes, devices, DeviceMemory::copied));
  RunFacts facts = model_facts(model);
  facts.backend = device->backend().info().name;
  facts.device = device->info().name;
  facts.threads = runtime.threads();
  facts.probe = memory;
  facts.arguments = arguments;
  DS4_CHECK(results.describe(facts));
  OpsRun run;
  run.device = device;
  run.model = &model;
  run.backend = facts.backend;
  run.probe = memory;
  run.cancelled = [] { return cli::InterruptGuard::raised(); };
  run.on_row = [&results](const OpRow& row) { return results.add(row); };
  const Result<void> timed = time_ops(options, run);
  // What was timed before an error stays, as a table and as JSON too; without a row nothing is put
  // in the place of what was there.
  const Result<void> finished = timed || results.has_rows() ? results.finish() : timed;
  return timed ? finished : timed;
}

}  // namespace

ExitCode run_ops_program(const std::vector<std::string>& arguments) {
  OpsOptions options;
  const cli::OptionTable table = make_ops_table(options);
  const cli::Environment environment = cli::read_environment();
  auto parsed = table.parse(arguments);
  const cli::Console console("ds4-bench", options.runtime.color, environment.no_color);
  if (parsed && !cli::only_asks(options.runtime)) parsed = check_ops_options(options);
  if (const auto said = cli::first_answer(console, table, parsed, options.runtime, environment)) {
    return *said;
  }
  const auto report = [&console](const Error& error) {
    console.error(error.what);
    return cli::exit_code(error.code);
  };
  const cli::InterruptGuard interrupts(cli::SecondInterrupt::kills);
  const auto model = cli::open_model(options.model(), ModelChecks::header);
  if (!model) return report(model.error());
  OpResults results(options, console);
  if (const auto opened = results.open(); !opened) return report(opened.error());
  const cli::Runtime runtime(console, options.runtime, environment);
  cli::OpenDevices devices;
  if (const ExitCode opened = runtime.open_devices(options.runtime, devices);
      opened != cli::kSuccess) {
    return opened;
  }
  std::vector<std::string> all = {"ops"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto done = run_on(runtime, options, *model, devices, all, results);
  return done ? cli::kSuccess : report(done.error());
}

}  // namespace ds4::bench
