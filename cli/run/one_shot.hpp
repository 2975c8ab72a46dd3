#pragma once

#include <string>

#include "common/exit_code.hpp"
#include "run/session.hpp"

namespace ds4::run {

/// Answers one prompt: text (or one JSON object) on stdout, timing on stderr.
Result<cli::ExitCode> run_one_shot(const cli::Console& console, const RunOptions& options,
                                   Session& session, const std::string& prompt);

/// The object of --json.
struct Answer;
[[nodiscard]] std::string answer_json(const Answer& answer);

}  // namespace ds4::run
