#include "run/one_shot.hpp"

#include <optional>

#include "common/interrupt.hpp"
#include "common/json_writer.hpp"
#include "run/answer.hpp"
#include "run/timing.hpp"

namespace ds4::run {

std::string answer_json(const Answer& answer) {
  const Generated& result = answer.generated;
  cli::JsonWriter json;
  json.begin_object();
  json.key("prompt_tokens").unsigned_integer(result.prompt_tokens);
  json.key("generated_tokens").unsigned_integer(result.tokens.size());
  json.key("text").string(answer.text);
  json.key("thinking").string(answer.thinking);
  json.key("finish").string(finish_name(result.finish));
  json.key("timings").begin_object();
  json.key("cached_tokens").unsigned_integer(result.cached);
  json.key("prefill_seconds").number(result.prefill_seconds);
  json.key("generate_seconds").number(result.generate_seconds);
  json.end_object().end_object();
  return json.take();
}

Result<cli::ExitCode> run_one_shot(const cli::Console& console, const RunOptions& options,
                                   Session& session, const std::string& prompt) {
  std::string warning;
  DS4_TRY(const EffortLevel* effort,
          effective_effort(options.think(), session.model().context(), warning));
  if (!warning.empty()) console.note(warning);
  DS4_TRY(const TokenPrompt tokens, tokenize_prompt(options, session.tokenizer(), *effort, prompt));
  std::optional<Trace> trace;
  if (!options.trace.empty()) {
    DS4_TRY(Trace opened, Trace::open(options.trace, session.tokenizer()));
    trace.emplace(std::move(opened));
  }
  const cli::InterruptGuard interrupts(cli::SecondInterrupt::kills);
  DS4_TRY(const Answer result, answer(console, options, session.model(), session.tokenizer(),
                                      tokens, trace ? &*trace : nullptr));
  if (options.prints_json && !console.write(answer_json(result) + "\n")) {
    return fail(Errc::io, "standard output does not take the answer");
  }
  if (!options.hides_timing) console.write_error(timing_lines(result.generated));
  if (!options.kv_load.empty() && result.generated.cached == 0) {
    console.note("no state in " + options.kv_load +
                 " is a beginning of this prompt: all of it was evaluated");
  }
  const Finish finish = result.generated.finish;
  if (finish == Finish::context) {
    console.note("the context of " + std::to_string(session.model().context()) +
                 " tokens is full; raise --ctx for a longer answer");
  }
  return finish == Finish::interrupted ? cli::kInterrupted : cli::kSuccess;
}

}  // namespace ds4::run
