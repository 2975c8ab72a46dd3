#include "bench/bench_run.hpp"

#include <algorithm>
#include <memory>

#include "bench/probe_devices.hpp"
#include "bench/prompt.hpp"
#include "bench/roofline.hpp"
#include "bench/sweep.hpp"
#include "common/interrupt.hpp"
#include "common/progress.hpp"

namespace ds4::bench {
namespace {

/// Tokens to evaluate, and how to show what is decoded.
struct Prepared {
  std::optional<Tokenizer> tokenizer;
  std::vector<std::int32_t> tokens;
  std::int32_t end_token = -1;
};

Result<Prepared> prepare(const BenchOptions& options, const ModelFile& model, const LogSink& log) {
  Prepared out;
  DS4_TRY(out.tokenizer, cli::open_tokenizer(model.gguf(), log));
  DS4_TRY(out.tokens, prompt_tokens(options, *out.tokenizer));
  out.end_token = out.tokenizer->vocabulary().special().eos;
  return out;
}

bool promises_equal_bits(const cli::OpenDevices& devices) {
  return std::all_of(devices.devices.begin(), devices.devices.end(),
                     [](const auto& device) { return device->has(DS4_CAP_DETERMINISTIC); });
}

std::string row_line(const BenchRow& row) {
  std::string line = std::to_string(row.ctx_tokens) + " tokens: prefill " +
                     cli::decimals(row.prefill_tps, 2) + " t/s, decode " +
                     cli::decimals(row.gen_steady_tps, 2) + " t/s";
  if (row.roofline_tps > 0) {
    line += ", " + cli::decimals(row.ratio, 3) + " of the roofline";
  }
  if (row.expert_hit_rate > 0 || row.expert_bytes_read > 0) {
    line += ", expert hit rate " + cli::decimals(row.expert_hit_rate, 3);
  }
  return line;
}

Result<void> sweep_all(const cli::Runtime& runtime, const BenchOptions& options,
                       const std::string& path, const cli::OpenDevices& devices,
                       const std::vector<std::string>& arguments, std::uint32_t first_run,
                       Results& results) {
  const cli::Console& console = runtime.console();
  DS4_TRY(ModelFile model, cli::open_model(path));
  DS4_TRY(const Prepared prepared, prepare(options, model, runtime.log()));
  // Before the weights are there: the probe needs memory of its own.
  DS4_TRY(const BandwidthProbe memory,
          probe_devices(runtime, options.probe_bytes, devices, DeviceMemory::skipped));
  DS4_TRY(const std::unique_ptr<Engine> engine,
          cli::open_engine(console, std::move(model), devices,
                           bench_engine_options(options, runtime.log())));
  RunFacts facts = facts_of(*engine);
  facts.threads = runtime.threads();
  facts.prompt = prompt_source(options);
  facts.probe = memory;
  facts.arguments = arguments;
  DS4_CHECK(results.describe(facts));

  const Roofline roofline(engine->model(), engine->options().roundings);
  Sweep sweep;
  sweep.engine = engine.get();
  sweep.tokens = prepared.tokens;
  sweep.end_token = prepared.end_token;
  sweep.roofline = &roofline;
  sweep.bytes_per_second = memory.bytes_per_second;
  sweep.backend = facts.backend;
  // A cell of the CSV holds no comma.
  std::replace(sweep.backend.begin(), sweep.backend.end(), ',', ' ');
  sweep.checks_restore = promises_equal_bits(devices);
  sweep.cancelled = [] { return cli::InterruptGuard::raised(); };
  sweep.on_row = [&](const BenchRow& row) -> Result<void> {
    console.note(row_line(row));
    return results.add(row);
  };
  if (results.wants_logits()) {
    sweep.on_logits = [&](std::uint32_t frontier, std::span<const float> logits) {
      return results.add(
          FrontierLogits{sweep.run, frontier, sweep.backend, {logits.begin(), logits.end()}});
    };
  }
  if (options.shows_output) {
    sweep.on_decoded = [&](std::span<const std::int32_t> tokens) {
      std::string text;
      for (const std::int32_t id : tokens) text += prepared.tokenizer->vocabulary().bytes(id);
      console.note(text);
    };
  }
  for (std::uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
    sweep.run = first_run + repeat;
    sweep.warms_up = options.warms_up && repeat == 0;  // each engine once
    DS4_CHECK(run_sweep(options, sweep));
  }
  return {};
}

}  // namespace

EngineOptions bench_engine_options(const BenchOptions& options, const LogSink& log) {
  EngineOptions engine = cli::engine_options(options.runtime, log);
  engine.context = options.context();
  engine.prefill_rows = std::min(options.runtime.prefill_chunk, engine.context);
  engine.restore_points = 2;  // the frontier, and one that sessions take by themselves
  return engine;
}

cli::ExitCode bench_backend(const cli::Runtime& runtime, const BenchOptions& options,
                            const std::string& path, const cli::RuntimeOptions& where,
                            const std::vector<std::string>& arguments, std::uint32_t first_run,
                            Results& results) {
  const auto model = cli::open_model(path, ModelChecks::header);
  if (!model) {
    runtime.console().error(model.error().what);
    return cli::exit_code(model.error().code);
  }
  if (const auto fitting = cli::check_placement(where, model->config().layers); !fitting) {
    runtime.console().error(fitting.error().what);
    return cli::kUsage;
  }
  cli::OpenDevices devices;
  if (const cli::ExitCode opened = runtime.open_devices(where, devices); opened != cli::kSuccess) {
    return opened;
  }
  const auto done = sweep_all(runtime, options, path, devices, arguments, first_run, results);
  if (done) return cli::kSuccess;
  runtime.console().error(done.error().what);
  return cli::exit_code(done.error().code);
}

}  // namespace ds4::bench
