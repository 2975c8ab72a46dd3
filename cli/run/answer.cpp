#include "run/answer.hpp"

#include "common/interrupt.hpp"
#include "common/progress.hpp"
#include "run/answer_stream.hpp"

namespace ds4::run {
namespace {

bool shows_thinking(const cli::Console& console, const RunOptions& options) {
  if (options.show_thinking == ShowThinking::automatic) return console.stdout_is_terminal();
  return options.show_thinking == ShowThinking::always;
}

}  // namespace

Result<Answer> answer(const cli::Console& console, const RunOptions& options, TokenModel& model,
                      const Tokenizer& tokenizer, const TokenPrompt& prompt, Trace* maybe_trace) {
  DS4_TRY(RequestSampling sampling, RequestSampling::make(options.sampling.params, model.vocab()));
  Sampler sampler(model.vocab());
  Result<void> output;
  AnswerStream::Style style;
  style.scans_tags = prompt.scans_tags;
  style.starts_thinking = prompt.opens_thinking;
  style.shows_thinking = shows_thinking(console, options);
  style.colors = console.colors_stdout();
  AnswerStream stream(tokenizer, style, [&](std::string_view bytes) {
    if (options.prints_json || !output) return;
    if (!console.write(bytes)) output = fail(Errc::io, "standard output does not take the answer");
  });
  if (maybe_trace != nullptr) {
    DS4_CHECK(maybe_trace->prompt(prompt.tokens, options.sampling.params.seed));
  }

  cli::PrefillProgressLine progress(console);
  GenerationRequest request;
  request.prompt = prompt.tokens;
  request.max_tokens = options.tokens;
  request.end_token = tokenizer.vocabulary().special().eos;
  request.sampling = &sampling;
  request.sampler = &sampler;
  request.on_prefill = [&](std::uint32_t done, std::uint32_t total) {
    progress.update(done, total);
  };
  request.on_token = [&](const ChosenToken& chosen) {
    if (maybe_trace != nullptr && output) output = maybe_trace->token(chosen);
    if (!chosen.is_end) stream.push(chosen.id);
    return output.ok();
  };
  request.cancelled = [] { return cli::InterruptGuard::raised(); };

  auto generated = generate(model, request);
  progress.finish();
  stream.finish();
  if (!generated) return generated.error();
  DS4_CHECK(output);
  return Answer{*std::move(generated), stream.text(), stream.thinking()};
}

}  // namespace ds4::run
