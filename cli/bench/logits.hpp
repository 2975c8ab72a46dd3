#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4::bench {

/// Logits of the last row of a frontier.
struct FrontierLogits {
  std::uint32_t run = 1;
  std::uint32_t ctx_tokens = 0;
  std::string backend;        ///< no comma in it
  std::vector<float> values;  ///< [vocab]
};

/// A CSV of logits: run, ctx_tokens, backend, argmax, and all logits in one cell, by token id, with
/// as many digits as their bits need.
[[nodiscard]] std::string logits_header();
[[nodiscard]] std::string logits_line(const FrontierLogits& logits);

/// Reads such a file. Errors: bad_file, naming `name` and the line.
Result<std::vector<FrontierLogits>> parse_logits(std::string_view text, std::string_view name);

/// A table of the frontiers that both have, of each the first run: whether all bits are equal, the
/// largest difference, root mean square, cosine, the likeliest tokens, and how many of the ten
/// likeliest are common.
/// Errors: invalid_argument when they have no frontier in common or other vocabularies.
Result<std::string> logits_comparison(std::span<const FrontierLogits> first,
                                      std::span<const FrontierLogits> second,
                                      const std::string& first_name,
                                      const std::string& second_name);

/// Whether going back to a frontier was exact: the logits of a token evaluated there, before and
/// after. Errors: internal, naming the first token whose logit has other bits.
Result<void> check_restored(std::span<const float> before, std::span<const float> after);

}  // namespace ds4::bench
