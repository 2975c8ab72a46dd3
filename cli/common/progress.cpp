#include "common/progress.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace ds4::cli {
namespace {

constexpr std::uint32_t kQuietTokens = 64;
constexpr auto kRedrawInterval = std::chrono::milliseconds(200);

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double percent(std::uint64_t done, std::uint64_t total) {
  return total == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total);
}

// Carriage return, text, erase to the end of the line.
std::string rewritten(const std::string& text) {
  return "\r" + text + "\x1b[K";
}

}  // namespace

std::string decimals(double value, int count) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    std::chars_format::fixed, count);
  if (result.ec != std::errc{}) return std::isfinite(value) ? "overflow" : "-";
  return {buffer.data(), result.ptr};
}

ByteProgressLine::ByteProgressLine(const Console& console, std::string what)
    : console_(console), what_(std::move(what)), begin_(Clock::now()), shown_(begin_) {}

void ByteProgressLine::update(std::uint64_t done, std::uint64_t total) {
  const auto now = Clock::now();
  const std::uint64_t tenths = total == 0 ? 10 : done * 10 / total;
  // What is loaded before anyone could read a line needs none.
  if (!has_line_ && now - begin_ < kRedrawInterval) return;
  if (console_.stderr_is_terminal() ? now - shown_ < kRedrawInterval && done != total
                                    : tenths <= tenths_) {
    return;
  }
  shown_ = now;
  tenths_ = tenths;
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  const double gib = static_cast<double>(done) / kGiB;
  const double seconds = std::max(seconds_since(begin_), 1e-6);
  const std::string text =
      what_ + ": " + decimals(gib, 2) + " of " + decimals(static_cast<double>(total) / kGiB, 2) +
      " GiB (" + decimals(percent(done, total), 0) + "%), " + decimals(gib / seconds, 2) + " GiB/s";
  if (console_.stderr_is_terminal()) {
    console_.write_error(rewritten(text));
  } else {
    console_.note(text);
  }
  has_line_ = true;
}

void ByteProgressLine::end_line() {
  if (has_line_ && console_.stderr_is_terminal()) console_.write_error("\n");
  has_line_ = false;
}

double ByteProgressLine::seconds() const {
  return seconds_since(begin_);
}

void LoadProgressLine::finish() {
  line_.end_line();
  console_.note("ready in " + decimals(line_.seconds(), 2) + " s");
}

PrefillProgressLine::PrefillProgressLine(const Console& console)
    : console_(console), begin_(Clock::now()) {}

void PrefillProgressLine::update(std::uint32_t done, std::uint32_t total) {
  if (total < kQuietTokens) return;
  std::string text = "processing " + std::to_string(total) +
                     " input tokens: " + std::to_string(done) + "/" + std::to_string(total) + " (" +
                     decimals(percent(done, total), 0) + "%)";
  const double seconds = seconds_since(begin_);
  if (done > 0 && seconds > 0) {
    const double rate = done / seconds;
    text += ", " + decimals(rate, 1) + " t/s";
    if (done < total) text += ", " + decimals((total - done) / rate, 0) + " s left";
  }
  if (!console_.stderr_is_terminal()) {
    console_.note(text);
    return;
  }
  console_.write_error(rewritten(text));
  has_line_ = done < total;
  if (done == total) console_.write_error("\n");
}

void PrefillProgressLine::finish() {
  if (has_line_) console_.write_error("\n");
  has_line_ = false;
}

}  // namespace ds4::cli
