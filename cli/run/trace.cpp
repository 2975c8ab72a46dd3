#include "run/trace.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/json_writer.hpp"
#include "engine/sampler/logprobs.hpp"

namespace ds4::run {

Trace::Trace(std::string path, std::FILE* file, Tokenizer tokenizer)
    : path_(std::move(path)), file_(file), tokenizer_(std::move(tokenizer)) {}

Result<Trace> Trace::open(const std::string& path, Tokenizer tokenizer) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return fail(Errc::io, "cannot write ", path, ": ", std::strerror(errno));
  return Trace(path, file, std::move(tokenizer));
}

Result<void> Trace::line(const std::string& text) {
  const std::string bytes = text + "\n";
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size() ||
      std::fflush(file_.get()) != 0) {
    return fail(Errc::io, "cannot write ", path_, ": ", std::strerror(errno));
  }
  return {};
}

Result<void> Trace::prompt(std::span<const std::int32_t> tokens, std::uint64_t seed) {
  cli::JsonWriter json;
  json.begin_object().key("prompt").begin_array();
  for (const std::int32_t id : tokens) json.integer(id);
  json.end_array().key("seed").unsigned_integer(seed).end_object();
  step_ = 0;
  return line(json.text());
}

Result<void> Trace::token(const ChosenToken& chosen) {
  TokenLogprob logprob{chosen.id, 0};
  DS4_TRY([[maybe_unused]] const std::size_t none, top_logprobs(chosen.logits, logprob, {}));
  const float own = chosen.logits[static_cast<std::size_t>(chosen.id)];
  const auto rank = std::count_if(chosen.logits.begin(), chosen.logits.end(),
                                  [own](float logit) { return logit > own; });
  cli::JsonWriter json;
  json.begin_object().key("step").integer(step_++).key("id").integer(chosen.id);
  json.key("bytes").byte_array(tokenizer_.vocabulary().bytes(chosen.id));
  json.key("probability").number(std::exp(logprob.logprob)).key("rank").integer(rank);
  json.key("seconds").number(chosen.seconds).end_object();
  return line(json.text());
}

}  // namespace ds4::run
