#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "bench/options.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::bench {

/// The tokens that a sweep evaluates: at least --ctx-max of them. Of a text as it is, of a text as
/// one user message, or drawn: ordinary tokens, equal for equal seeds.
/// Errors: what reading and tokenizing report; invalid_argument when a text has too few tokens,
/// with both counts.
Result<std::vector<std::int32_t>> prompt_tokens(const BenchOptions& options,
                                                const Tokenizer& tokenizer);

/// What prompt_tokens() does, in words: "plain text of FILE", "drawn, seed 1".
[[nodiscard]] std::string prompt_source(const BenchOptions& options);

}  // namespace ds4::bench
