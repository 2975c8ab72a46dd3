#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4::run {

/// A finished exchange to start a conversation with.
struct PrefixPair {
  std::string user;
  std::string assistant;
};

/// Reads --prefix-file: a line that begins with "USER:" or "ASSISTANT:" starts a message (one blank
/// after the colon is dropped); the lines after it belong to it. Roles alternate, the first is a
/// user, the last an assistant; white space at the end of a message does not count.
/// Errors: invalid_argument, naming the line.
Result<std::vector<PrefixPair>> parse_prefix(std::string_view text);

}  // namespace ds4::run
