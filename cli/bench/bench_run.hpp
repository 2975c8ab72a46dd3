#pragma once

#include <string>
#include <vector>

#include "bench/options.hpp"
#include "bench/results.hpp"
#include "common/environment.hpp"
#include "common/exit_code.hpp"
#include "common/runtime.hpp"

namespace ds4::bench {

/// What the engine of a sweep is opened with.
[[nodiscard]] EngineOptions bench_engine_options(const BenchOptions& options, const LogSink& log);

/// Loads the model of the options on the devices that `where` names, probes the memory, sweeps
/// `repeats` times and lets go of the model. Rows go to `results`, runs being numbered from
/// `first_run`. Messages are printed; the status is that of the program.
cli::ExitCode bench_backend(const cli::Runtime& runtime, const BenchOptions& options,
                            const std::string& path, const cli::RuntimeOptions& where,
                            const std::vector<std::string>& arguments, std::uint32_t first_run,
                            Results& results);

}  // namespace ds4::bench
