#include "run/generate.hpp"

#include <algorithm>
#include <chrono>

namespace ds4::run {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Result<void> decode(TokenModel& model, const GenerationRequest& request,
                    std::span<const float> logits, Generated& out) {
  const std::uint32_t room = model.context() - out.prompt_tokens - 1;
  const std::uint32_t limit = std::min(request.max_tokens, room);
  out.finish = limit == request.max_tokens ? Finish::length : Finish::context;
  Clock::time_point last = Clock::now();
  while (out.tokens.size() < limit) {
    if (request.cancelled && request.cancelled()) {
      out.finish = Finish::interrupted;
      return {};
    }
    DS4_TRY(const std::int32_t id, request.sampler->sample(logits, *request.sampling));
    const bool is_end = id == request.end_token;
    const ChosenToken chosen{id, is_end, logits, seconds_since(last)};
    last = Clock::now();
    if (!is_end) {
      request.sampling->accept(id);
      out.tokens.push_back(id);
    }
    if (request.on_token && !request.on_token(chosen)) {
      out.finish = Finish::interrupted;
      return {};
    }
    if (is_end) {
      out.finish = Finish::stop;
      return {};
    }
    if (out.tokens.size() == limit) return {};
    DS4_TRY(logits, model.evaluate(id));
  }
  return {};
}

}  // namespace

const char* finish_name(Finish finish) noexcept {
  switch (finish) {
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::context:
      return "context";
    case Finish::interrupted:
      break;
  }
  return "interrupted";
}

Result<Generated> generate(TokenModel& model, const GenerationRequest& request) {
  Generated out;
  out.prompt_tokens = static_cast<std::uint32_t>(request.prompt.size());
  if (request.prompt.size() >= model.context()) {
    return fail(Errc::invalid_argument, "the prompt has ", request.prompt.size(),
                " tokens, which leaves no room for an answer in a context of ", model.context());
  }
  const Clock::time_point begin = Clock::now();
  auto prefilled = model.prefill(request.prompt, request.on_prefill, request.cancelled);
  out.prefill_seconds = seconds_since(begin);
  if (!prefilled) {
    if (prefilled.error().code != Errc::cancelled) return prefilled.error();
    out.finish = Finish::interrupted;
    return out;
  }
  out.cached = prefilled->cached;
  out.evaluated = prefilled->evaluated;
  const Clock::time_point decoding = Clock::now();
  DS4_CHECK(decode(model, request, prefilled->logits, out));
  out.generate_seconds = seconds_since(decoding);
  return out;
}

}  // namespace ds4::run
