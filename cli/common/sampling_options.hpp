#pragma once

#include <cstdint>
#include <string>

#include "common/option_table.hpp"
#include "engine/sampler/sampler.hpp"

namespace ds4::cli {

/// --temp, --top-p, ... A seed of 0 stands for one from the clock until resolve_seed().
struct SamplingOptions {
  SamplingParams params;
  SamplingOptions() { params.min_p = 0.05F; }
};

void declare_sampling_options(OptionTable& table, SamplingOptions& options);

/// A seed from process id and clock when none was given.
void resolve_seed(SamplingOptions& options);

/// One `KEY VALUE` of those that can change while a program runs: temp, top-p, min-p, top-k, seed.
/// Errors: invalid_argument, naming the range or the keys.
Result<void> set_sampling(SamplingOptions& options, const std::string& key,
                          const std::string& value);

/// "temp 1, top-p 1, min-p 0.05, top-k off, seed 7".
[[nodiscard]] std::string describe(const SamplingOptions& options);

}  // namespace ds4::cli
