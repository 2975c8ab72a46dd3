#pragma once

#include <string>
#include <string_view>

namespace ds4 {

/// Text from a file as a message shows it: at most 80 characters, the last three of a longer one
/// are dots, and '?' for each byte outside printable ASCII, so that no file can break or flood the
/// one line of an error.
inline std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 80;
  constexpr std::string_view kMore = "...";
  const bool is_long = text.size() > kMost;
  std::string out(is_long ? text.substr(0, kMost - kMore.size()) : text);
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (is_long) out += kMore;
  return out;
}

}  // namespace ds4
