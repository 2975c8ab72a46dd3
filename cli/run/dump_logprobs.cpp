#include "run/dump_logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/sampler/logprobs.hpp"

namespace ds4::run {
namespace {

void write_step(cli::JsonWriter& json, const Tokenizer& tokenizer, std::uint32_t step,
                std::span<const float> logits, std::span<const TokenLogprob> top) {
  json.line_break().begin_object().key("step").unsigned_integer(step).key("selected");
  write_token(json, tokenizer, top.front().token);
  json.key("top_logprobs").begin_array();
  for (const TokenLogprob& entry : top) {
    json.begin_object().key("token");
    write_token(json, tokenizer, entry.token);
    json.key("logit").number(logits[static_cast<std::size_t>(entry.token)]);
    json.key("logprob").number(entry.logprob).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

void write_token(cli::JsonWriter& json, const Tokenizer& tokenizer, std::int32_t id) {
  const std::string_view bytes = tokenizer.vocabulary().bytes(id);
  json.begin_object().key("id").integer(id).key("text").string(bytes);
  json.key("bytes").byte_array(bytes).end_object();
}

Result<std::int32_t> most_likely(std::span<const float> logits) {
  TokenLogprob chosen{0, 0};
  TokenLogprob best;
  DS4_TRY([[maybe_unused]] const std::size_t count, top_logprobs(logits, chosen, {&best, 1}));
  return best.token;
}

Result<std::string> dump_logprobs(TokenModel& model, const Tokenizer& tokenizer,
                                  const LogprobsRequest& request) {
  if (request.prompt.size() >= model.context()) {
    return fail(Errc::invalid_argument, "the prompt has ", request.prompt.size(),
                " tokens, the context holds ", model.context(), "; raise --ctx");
  }
  DS4_TRY(SyncReport prefilled,
          model.prefill(request.prompt, request.on_prefill, request.cancelled));
  cli::JsonWriter json;
  json.begin_object().key("source").string("ds4");
  json.key("prompt_tokens").unsigned_integer(request.prompt.size());
  json.key("ctx").unsigned_integer(model.context()).key("top_k").unsigned_integer(request.top_k);
  json.key("steps").begin_array();

  const std::size_t room = model.context() - request.prompt.size();
  const auto limit = std::min<std::size_t>(request.max_tokens, room);
  std::vector<TokenLogprob> top(request.top_k);
  std::span<const float> logits = prefilled.logits;
  for (std::uint32_t step = 0; step < limit; ++step) {
    if (request.cancelled && request.cancelled()) return fail(Errc::cancelled, "interrupted");
    TokenLogprob chosen{0, 0};
    DS4_TRY(const std::size_t count, top_logprobs(logits, chosen, top));
    write_step(json, tokenizer, step, logits, std::span(top).first(count));
    const std::int32_t selected = top.front().token;
    if (selected == tokenizer.vocabulary().special().eos || step + 1 == limit) break;
    DS4_TRY(logits, model.evaluate(selected));
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

Result<std::string> dump_logits(const Tokenizer& tokenizer, std::span<const float> logits,
                                const LogitsFacts& facts) {
  constexpr std::size_t kPerLine = 8;
  DS4_TRY(const std::int32_t best, most_likely(logits));
  cli::JsonWriter json;
  json.begin_object().key("source").string("ds4").key("model").string(facts.model);
  json.key("backend").string(facts.backend);
  json.key("quant_bits").unsigned_integer(facts.quant_bits);
  json.key("prompt_tokens").unsigned_integer(facts.prompt_tokens);
  json.key("ctx").unsigned_integer(facts.context);
  json.key("vocab").unsigned_integer(logits.size()).key("argmax_token");
  write_token(json, tokenizer, best);
  json.key("argmax_logit").number(logits[static_cast<std::size_t>(best)]);
  json.key("logits").begin_array();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i % kPerLine == 0) json.line_break();
    json.number(logits[i]);
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace ds4::run
