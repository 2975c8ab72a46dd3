#pragma once

#include <string>
#include <string_view>

namespace ds4 {

/// The text with every occurrence of `what` (not empty) replaced, left to right, without
/// rescanning.
[[nodiscard]] inline std::string replace_all(std::string_view text, std::string_view what,
                                             std::string_view with) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what)) {
    out.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + what.size());
  }
  return out.append(text);
}

}  // namespace ds4
