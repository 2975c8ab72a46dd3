#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "common/console.hpp"
#include "common/option_table.hpp"
#include "common/runtime_options.hpp"
#include "engine/engine.hpp"
#include "engine/expert_options.hpp"

namespace ds4::cli {

/// Adds --expert-cache; `options` outlives the table.
void declare_expert_option(OptionTable& table, RuntimeOptions& options);

/// "auto", "off", or a size: a number of bytes, or one with KiB, MiB, GiB or TiB, as "8GiB" or
/// "1.5GiB". Errors: invalid_argument, saying the form and what was given.
Result<ExpertCacheOptions> parse_expert_cache(std::string_view text);

/// What a plan with streamed experts means, in a line; empty for any other.
[[nodiscard]] std::string expert_line(const MemoryPlan& plan);
/// What a cache did, in a line: hits, what was read ahead, misses, waiting, bytes read.
[[nodiscard]] std::string expert_counts_line(const ExpertReport& report);
/// Says what the expert cache of an engine did, if it has one.
void say_experts(const Console& console, const Engine& engine);

}  // namespace ds4::cli
