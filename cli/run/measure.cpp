#include "run/measure.hpp"

#include <algorithm>

#include "common/files.hpp"
#include "common/interrupt.hpp"
#include "common/output_file.hpp"
#include "common/progress.hpp"
#include "format/dtype.hpp"
#include "run/decode_consistency.hpp"
#include "run/dump_logprobs.hpp"
#include "run/perplexity.hpp"
#include "run/prompt.hpp"

namespace ds4::run {
namespace {

constexpr std::uint32_t kWindowRows = 64;

bool interrupted() {
  return cli::InterruptGuard::raised();
}

// The width that a file is called by: that of its routed experts.
std::uint32_t quant_bits(const ModelFile& model) {
  const TensorInfo* const experts = model.layer_tensor(0, TensorRole::ffn_down_exps);
  const DtypeTraits* const traits = experts == nullptr ? nullptr : find_traits(experts->dtype);
  return traits == nullptr ? 0 : traits->block_bytes * 8 / traits->block_elements;
}

Result<TokenPrompt> measured_prompt(const RunOptions& options, Session& session,
                                    const std::string& text) {
  std::string warning;
  DS4_TRY(const EffortLevel* effort,
          effective_effort(options.think(), session.model().context(), warning));
  return tokenize_prompt(options, session.tokenizer(), *effort, text);
}

Result<cli::ExitCode> write_logits(const cli::Console& console, const RunOptions& options,
                                   Session& session, const TokenPrompt& prompt) {
  DS4_TRY(cli::OutputFile file, cli::OutputFile::open(options.out_file));
  cli::PrefillProgressLine progress(console);
  DS4_TRY(const SyncReport prefilled,
          session.model().prefill(
              prompt.tokens,
              [&](std::uint32_t done, std::uint32_t total) { progress.update(done, total); },
              interrupted));
  LogitsFacts facts;
  facts.model = session.path();
  facts.backend = session.backend();
  facts.quant_bits = quant_bits(session.engine().model());
  facts.prompt_tokens = static_cast<std::uint32_t>(prompt.tokens.size());
  facts.context = session.model().context();
  DS4_TRY(const std::string text, dump_logits(session.tokenizer(), prefilled.logits, facts));
  DS4_CHECK(file.commit(text));
  return cli::kSuccess;
}

Result<cli::ExitCode> write_logprobs(const cli::Console& console, const RunOptions& options,
                                     Session& session, const TokenPrompt& prompt) {
  DS4_TRY(cli::OutputFile file, cli::OutputFile::open(options.out_file));
  cli::PrefillProgressLine progress(console);
  LogprobsRequest request;
  request.prompt = prompt.tokens;
  request.max_tokens = options.tokens;
  request.top_k = options.logprobs_top_k;
  request.on_prefill = [&](std::uint32_t done, std::uint32_t total) {
    progress.update(done, total);
  };
  request.cancelled = interrupted;
  DS4_TRY(const std::string text, dump_logprobs(session.model(), session.tokenizer(), request));
  DS4_CHECK(file.commit(text));
  return cli::kSuccess;
}

Result<cli::ExitCode> print_consistency(const cli::Console& console, const RunOptions& options,
                                        Session& session, const TokenPrompt& prompt) {
  const auto restart = [&session]() -> Result<TokenModel*> {
    DS4_CHECK(session.restart());
    return static_cast<TokenModel*>(&session.model());
  };
  DS4_TRY(const std::string text,
          decode_consistency(session.model(), session.tokenizer(), prompt.tokens,
                             options.consistency_tokens, restart, interrupted));
  console.write_error(text);
  return cli::kSuccess;
}

Result<PerplexitySum> score_windows(const cli::Console& console, const RunOptions& options,
                                    Session& session, std::span<const std::int32_t> tokens) {
  const WindowLogits evaluate = [&session](std::span<const std::int32_t> window, std::size_t first,
                                           const auto& take) -> Result<void> {
    DS4_CHECK(session.restart());
    EngineModel& model = session.model();
    DS4_TRY([[maybe_unused]] const SyncReport head, model.prefill(window.first(first), {}, {}));
    return model.evaluate_rows(
        window.subspan(first),
        [&](std::size_t row, std::span<const float> logits) { take(first + row, logits); });
  };
  std::uint64_t number = 0;
  const auto on_window = [&](const PerplexitySum& sum) {
    console.write_error("[" + std::to_string(++number) + "]" + cli::decimals(sum.perplexity(), 4) +
                        ",");
  };
  auto sum = windowed_perplexity(tokens, *options.perplexity_window,
                                 session.tokenizer().vocabulary().special().bos, evaluate,
                                 on_window, interrupted);
  if (number > 0) console.write_error("\n");
  return sum;
}

Result<cli::ExitCode> print_perplexity(const cli::Console& console, const RunOptions& options,
                                       Session& session) {
  DS4_TRY(const std::string text, cli::read_file(options.perplexity_file));
  DS4_TRY(const std::vector<std::int32_t> tokens, session.tokenizer().encode_text(text));
  PerplexitySum sum;
  std::string tail = "\n";
  if (options.perplexity_window) {
    if (*options.perplexity_window > session.model().context()) {
      return fail(Errc::invalid_argument, "windows of ", *options.perplexity_window,
                  " tokens do not fit a context of ", session.model().context());
    }
    DS4_TRY(sum, score_windows(console, options, session, tokens));
    tail = " error=" + cli::decimals(sum.error(), 9) +
           " window=" + std::to_string(*options.perplexity_window) + "\n";
  } else {
    const auto progress = [&](std::uint64_t scored) {
      console.note("scored " + std::to_string(scored) + " tokens");
    };
    DS4_TRY(sum, perplexity(session.model(), tokens, options.tokens, progress, interrupted));
  }
  if (!console.write(perplexity_line(tokens.size(), sum) + tail)) {
    return fail(Errc::io, "standard output does not take the result");
  }
  return cli::kSuccess;
}

}  // namespace

std::uint32_t measured_rows(const RunOptions& options) noexcept {
  return options.perplexity_window ? kWindowRows : 1;
}

Result<cli::ExitCode> run_measurement(const cli::Console& console, const RunOptions& options,
                                      Session& session, const std::string* maybe_prompt) {
  const cli::InterruptGuard interrupts(cli::SecondInterrupt::kills);
  if (maybe_prompt == nullptr) return print_perplexity(console, options, session);
  DS4_TRY(const TokenPrompt prompt, measured_prompt(options, session, *maybe_prompt));
  if (options.mode == Mode::dump_logits) return write_logits(console, options, session, prompt);
  if (options.mode == Mode::dump_logprobs) {
    return write_logprobs(console, options, session, prompt);
  }
  return print_consistency(console, options, session, prompt);
}

}  // namespace ds4::run
