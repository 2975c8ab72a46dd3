#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "run/token_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run {

/// How two rows of logits differ; positions that are not finite in both count as equal.
struct LogitsDifference {
  double max_abs = 0;
  std::int32_t token = -1;  ///< where
  double rms = 0;
};
[[nodiscard]] LogitsDifference compare_logits(std::span<const float> a, std::span<const float> b);

/// --decode-consistency: decodes `count` greedy tokens after the prompt, then evaluates prompt and
/// tokens afresh (`restart` empties the state) and tells how the last logits differ.
Result<std::string> decode_consistency(TokenModel& model, const Tokenizer& tokenizer,
                                       std::span<const std::int32_t> prompt, std::uint32_t count,
                                       const std::function<Result<TokenModel*>()>& restart,
                                       const std::function<bool()>& cancelled);

}  // namespace ds4::run
