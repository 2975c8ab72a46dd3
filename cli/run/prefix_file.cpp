#include "run/prefix_file.hpp"

#include <algorithm>

namespace ds4::run {
namespace {

constexpr std::string_view kUser = "USER:";
constexpr std::string_view kAssistant = "ASSISTANT:";

void trim_end(std::string& text) {
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) {
    text.pop_back();
  }
}

}  // namespace

Result<std::vector<PrefixPair>> parse_prefix(std::string_view text) {
  std::vector<PrefixPair> pairs;
  std::string* message = nullptr;
  bool is_user = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool starts_user = line.starts_with(kUser);
    if (starts_user || line.starts_with(kAssistant)) {
      const bool wants_user = !is_user;
      if (starts_user != wants_user) {
        return fail(Errc::invalid_argument, "line ", number, ": expected ",
                    wants_user ? kUser : kAssistant, " here, roles alternate");
      }
      if (message != nullptr) trim_end(*message);
      if (starts_user) pairs.emplace_back();
      is_user = starts_user;
      message = is_user ? &pairs.back().user : &pairs.back().assistant;
      line.remove_prefix((starts_user ? kUser : kAssistant).size());
      if (line.starts_with(' ')) line.remove_prefix(1);
    } else if (message == nullptr) {
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      return fail(Errc::invalid_argument, "line ", number, ": the first message begins with ",
                  kUser);
    }
    message->append(line).push_back('\n');
  }
  if (message == nullptr) return fail(Errc::invalid_argument, "there is no message");
  if (is_user) return fail(Errc::invalid_argument, "the last message is not an ", kAssistant);
  trim_end(*message);
  return pairs;
}

}  // namespace ds4::run
