#include "run/thinking.hpp"

#include <algorithm>
#include <utility>

namespace ds4::run {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kGrey = "\x1b[90m";
constexpr std::string_view kReset = "\x1b[0m";

// Length of the longest suffix of `text` that is a proper prefix of `tag`.
std::size_t partial_tag(std::string_view text, std::string_view tag) {
  for (std::size_t length = std::min(text.size(), tag.size() - 1); length > 0; --length) {
    if (tag.starts_with(text.substr(text.size() - length))) return length;
  }
  return 0;
}

}  // namespace

ThinkingSplitter::ThinkingSplitter(Scan scan, bool starts_thinking, Sink sink)
    : scan_(scan), is_thinking_(starts_thinking), sink_(std::move(sink)) {}

void ThinkingSplitter::push(std::string_view bytes) {
  if (scan_ == Scan::off) {
    if (!bytes.empty()) sink_(false, bytes);
    return;
  }
  held_.append(bytes);
  std::string_view rest = held_;
  while (true) {
    const std::size_t open = rest.find(kOpen);
    const std::size_t close = rest.find(kClose);
    const std::size_t at = std::min(open, close);
    if (at == std::string_view::npos) break;
    if (at > 0) sink_(is_thinking_, rest.substr(0, at));
    is_thinking_ = open < close;
    rest.remove_prefix(at + (is_thinking_ ? kOpen.size() : kClose.size()));
  }
  const std::size_t held = std::max(partial_tag(rest, kOpen), partial_tag(rest, kClose));
  if (rest.size() > held) sink_(is_thinking_, rest.substr(0, rest.size() - held));
  held_ = std::string(rest.substr(rest.size() - held));
}

void ThinkingSplitter::finish() {
  if (!held_.empty()) sink_(is_thinking_, held_);
  held_.clear();
}

ThinkingPrinter::ThinkingPrinter(bool shows_thinking, bool colors, Write write)
    : shows_thinking_(shows_thinking), colors_(colors), write_(std::move(write)) {}

void ThinkingPrinter::put(std::string_view bytes) {
  write_(bytes);
  has_text_ = true;
  last_ = bytes.back();
}

void ThinkingPrinter::print(bool is_thinking, std::string_view bytes) {
  if (bytes.empty()) return;
  if (is_thinking) {
    if (!shows_thinking_) return;
    if (colors_ && !is_grey_) write_(kGrey);
    is_grey_ = colors_;
    was_thinking_ = true;
    put(bytes);
    return;
  }
  if (is_grey_) write_(kReset);
  is_grey_ = false;
  if (was_thinking_ && last_ != '\n' && bytes.front() != '\n') put("\n");
  was_thinking_ = false;
  put(bytes);
}

void ThinkingPrinter::finish() {
  if (is_grey_) write_(kReset);
  is_grey_ = false;
  if (has_text_ && last_ != '\n') put("\n");
}

}  // namespace ds4::run
