#pragma once

#include <string>

#include "base/result.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run {

/// --dump-tokens: "[id, id, ...]", then a line per token: the id right-aligned in 6 columns, two
/// blanks, the vocabulary string (normal tokens in the byte mapping of vocabulary files).
Result<std::string> dump_tokens(const Tokenizer& tokenizer, const std::string& text);

}  // namespace ds4::run
