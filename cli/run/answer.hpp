#pragma once

#include <optional>
#include <string>

#include "common/console.hpp"
#include "run/generate.hpp"
#include "run/options.hpp"
#include "run/prompt.hpp"
#include "run/trace.hpp"

namespace ds4::run {

struct Answer {
  Generated generated;
  std::string text;
  std::string thinking;
};

/// Answers a prompt: progress on stderr, the answer streaming to stdout (unless it is collected for
/// --json), every token to the trace. Ctrl+C (see InterruptGuard) and a stdout that is closed end
/// it as interrupted. Errors: those of generate(); io of the trace and of stdout.
Result<Answer> answer(const cli::Console& console, const RunOptions& options, TokenModel& model,
                      const Tokenizer& tokenizer, const TokenPrompt& prompt, Trace* maybe_trace);

}  // namespace ds4::run
