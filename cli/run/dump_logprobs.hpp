#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/json_writer.hpp"
#include "run/token_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run {

struct LogprobsRequest {
  std::span<const std::int32_t> prompt;
  std::uint32_t max_tokens = 0;
  std::uint32_t top_k = 20;
  PrefillProgress on_prefill;
  std::function<bool()> cancelled;
};

/// --dump-logprobs: a greedy continuation as JSON. Every step holds the distribution before its
/// token is consumed; the step of the end of sequence is the last.
Result<std::string> dump_logprobs(TokenModel& model, const Tokenizer& tokenizer,
                                  const LogprobsRequest& request);

/// What --dump-logits says besides the numbers.
struct LogitsFacts {
  std::string model;
  std::string backend;
  std::uint32_t quant_bits = 0;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t context = 0;
};

/// --dump-logits: all logits of one position as JSON, 8 a line. Errors: internal when none of them
/// is finite.
Result<std::string> dump_logits(const Tokenizer& tokenizer, std::span<const float> logits,
                                const LogitsFacts& facts);

/// {"id":n,"text":"...","bytes":[...]}
void write_token(cli::JsonWriter& json, const Tokenizer& tokenizer, std::int32_t id);

/// The most likely token; ties go to the lower id. Errors: internal when no logit is finite.
Result<std::int32_t> most_likely(std::span<const float> logits);

}  // namespace ds4::run
