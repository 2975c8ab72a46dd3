#include "common/sampling_options.hpp"

#include <unistd.h>

#include <chrono>
#include <limits>
#include <sstream>

#include "common/numbers.hpp"
#include "common/runtime_options.hpp"

namespace ds4::cli {
namespace {

Result<void> store_seed(SamplingOptions& options, const std::string& text) {
  DS4_TRY(options.params.seed, parse_integer(text, 1, std::numeric_limits<std::uint64_t>::max()));
  return {};
}

// ID=BIAS, the form of --logit-bias.
Result<void> add_bias(SamplingOptions& options, const std::string& text) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos) {
    return fail(Errc::invalid_argument, "expected TOKEN=BIAS, got '", text, "'");
  }
  DS4_TRY(const std::uint64_t token, parse_integer(text.substr(0, at), 0, kMaxInteger));
  DS4_TRY(const float bias, parse_float(text.substr(at + 1), -1000, 1000));
  options.params.logit_bias.push_back({static_cast<std::int32_t>(token), bias});
  return {};
}

}  // namespace

void declare_sampling_options(OptionTable& table, SamplingOptions& options) {
  SamplingParams& params = options.params;
  table.value("--temp", "F", Topic::sampling, "temperature, 0 = most likely token (default 1)",
              store_float(params.temperature, 0, 100));
  table.value("--top-p", "F", Topic::sampling,
              "keep the likeliest tokens up to this mass (default 1)",
              store_float(params.top_p, 0, 1));
  table.value("--min-p", "F", Topic::sampling,
              "keep tokens with p >= F * the largest p (default 0.05)",
              store_float(params.min_p, 0, 1));
  table.value("--top-k", "N", Topic::sampling, "keep the N likeliest tokens, 0 = off (default 0)",
              store_integer(params.top_k, 0, kMaxInteger));
  table.value("--presence-penalty", "F", Topic::sampling,
              "subtracted from tokens of the answer so far (default 0)",
              store_float(params.presence_penalty, -100, 100));
  table.value("--frequency-penalty", "F", Topic::sampling,
              "the same, times how often they stand there (default 0)",
              store_float(params.frequency_penalty, -100, 100));
  table.value("--repeat-penalty", "F", Topic::sampling,
              "divides the logits of tokens of the answer so far (default 1)",
              store_float(params.repetition_penalty, 0.01F, 100));
  table.value(
      "--logit-bias", "TOKEN=F", Topic::sampling,
      "added to a token's logit, -100 or less bans it; repeatable",
      [&options](const std::string& text) { return add_bias(options, text); },
      OptionTable::Repeat::collected);
  table.value("--seed", "N", Topic::sampling, "of the random numbers (default: from the clock)",
              [&options](const std::string& text) { return store_seed(options, text); });
}

void resolve_seed(SamplingOptions& options) {
  if (options.params.seed != 0) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const auto process = static_cast<std::uint64_t>(::getpid());
  options.params.seed = (static_cast<std::uint64_t>(now) ^ (process << 40)) | 1;
}

Result<void> set_sampling(SamplingOptions& options, const std::string& key,
                          const std::string& value) {
  SamplingParams& params = options.params;
  if (key == "temp") return store_float(params.temperature, 0, 100)(value);
  if (key == "top-p") return store_float(params.top_p, 0, 1)(value);
  if (key == "min-p") return store_float(params.min_p, 0, 1)(value);
  if (key == "top-k") return store_integer(params.top_k, 0, kMaxInteger)(value);
  if (key == "seed") return store_seed(options, value);
  return fail(Errc::invalid_argument, "there is no setting '", key,
              "'; there are temp, top-p, min-p, top-k, seed and tokens");
}

std::string describe(const SamplingOptions& options) {
  const SamplingParams& params = options.params;
  std::ostringstream text;
  text << "temp " << params.temperature << ", top-p " << params.top_p << ", min-p " << params.min_p
       << ", top-k ";
  if (params.top_k == 0) {
    text << "off";
  } else {
    text << params.top_k;
  }
  text << ", seed " << params.seed;
  return text.str();
}

}  // namespace ds4::cli
