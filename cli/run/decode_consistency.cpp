#include "run/decode_consistency.hpp"

#include <array>
#include <cmath>
#include <sstream>

#include "common/json_writer.hpp"
#include "engine/sampler/logprobs.hpp"
#include "run/dump_logprobs.hpp"

namespace ds4::run {
namespace {

constexpr std::size_t kListed = 10;

Result<void> append_top(std::ostringstream& out, const char* title, const Tokenizer& tokenizer,
                        std::span<const float> logits) {
  std::array<TokenLogprob, kListed> top;
  TokenLogprob chosen{0, 0};
  DS4_TRY(const std::size_t count, top_logprobs(logits, chosen, top));
  out << title << ":\n";
  for (std::size_t i = 0; i < count; ++i) {
    cli::JsonWriter text;
    text.string(tokenizer.vocabulary().bytes(top[i].token));
    out << "  " << top[i].token << " " << text.text() << " "
        << cli::json_number(logits[static_cast<std::size_t>(top[i].token)]) << "\n";
  }
  return {};
}

}  // namespace

LogitsDifference compare_logits(std::span<const float> a, std::span<const float> b) {
  LogitsDifference out;
  double squares = 0;
  const std::size_t count = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(a[i]) && !std::isfinite(b[i])) continue;
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    squares += difference * difference;
    if (out.token >= 0 && !(difference > out.max_abs)) continue;
    out.max_abs = difference;
    out.token = static_cast<std::int32_t>(i);
  }
  out.rms = count == 0 ? 0 : std::sqrt(squares / static_cast<double>(count));
  return out;
}

Result<std::string> decode_consistency(TokenModel& model, const Tokenizer& tokenizer,
                                       std::span<const std::int32_t> prompt, std::uint32_t count,
                                       const std::function<Result<TokenModel*>()>& restart,
                                       const std::function<bool()>& cancelled) {
  if (prompt.size() + count > model.context()) {
    return fail(Errc::invalid_argument, "prompt and ", count, " tokens need a context of ",
                prompt.size() + count, ", this one has ", model.context());
  }
  DS4_TRY(SyncReport prefilled, model.prefill(prompt, {}, cancelled));
  std::vector<std::int32_t> tokens(prompt.begin(), prompt.end());
  std::vector<float> decoded = std::move(prefilled.logits);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "interrupted");
    DS4_TRY(const std::int32_t id, most_likely(decoded));
    tokens.push_back(id);
    DS4_TRY(const std::span<const float> logits, model.evaluate(id));
    decoded.assign(logits.begin(), logits.end());
  }
  DS4_TRY(TokenModel* const fresh, restart());
  DS4_TRY(const SyncReport again, fresh->prefill(tokens, {}, cancelled));

  const LogitsDifference difference = compare_logits(decoded, again.logits);
  const auto at = static_cast<std::size_t>(difference.token < 0 ? 0 : difference.token);
  std::ostringstream out;
  out << "decode consistency: " << prompt.size() << " prompt tokens, " << count << " decoded\n"
      << "max abs difference " << cli::json_number(difference.max_abs) << " at token "
      << difference.token << " (decoded " << cli::json_number(decoded[at]) << ", prefilled "
      << cli::json_number(again.logits[at]) << "), rms " << cli::json_number(difference.rms)
      << "\n";
  DS4_CHECK(append_top(out, "decoded top 10", tokenizer, decoded));
  DS4_CHECK(append_top(out, "prefilled top 10", tokenizer, again.logits));
  return out.str();
}

}  // namespace ds4::run
