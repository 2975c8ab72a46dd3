#pragma once

#include <optional>
#include <string>

#include "common/runtime.hpp"
#include "run/session.hpp"

namespace ds4::run {

/// The modes that need a loaded model and make no conversation: --dump-logits, --dump-logprobs,
/// --decode-consistency and --perplexity-file. `maybe_prompt` is null for the last.
Result<cli::ExitCode> run_measurement(const cli::Console& console, const RunOptions& options,
                                      Session& session, const std::string* maybe_prompt);

/// Rows of logits that a step of this mode wants.
[[nodiscard]] std::uint32_t measured_rows(const RunOptions& options) noexcept;

}  // namespace ds4::run
