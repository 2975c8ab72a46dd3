#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/console.hpp"

namespace ds4::cli {

/// Progress of loading, on stderr: on a terminal one line rewritten at most five times a second,
/// otherwise a line for every tenth.
class LoadProgressLine {
 public:
  explicit LoadProgressLine(const Console& console);
  /// Bytes of weights.
  void update(std::uint64_t done, std::uint64_t total);
  /// "ready in S s".
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  const Console& console_;
  Clock::time_point begin_;
  Clock::time_point shown_;
  std::uint64_t tenths_ = 0;
  bool has_line_ = false;
};

/// Progress of evaluating a prompt: "processing T input tokens: D/T (P%)", with tokens per second
/// and the time left after the first chunk. Prompts of fewer than 64 tokens print nothing.
class PrefillProgressLine {
 public:
  explicit PrefillProgressLine(const Console& console);
  /// Tokens of the part that was not cached.
  void update(std::uint32_t done, std::uint32_t total);
  /// Ends a line that stopped before its end.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  const Console& console_;
  Clock::time_point begin_;
  bool has_line_ = false;
};

/// "12.34": a number with this many decimals.
[[nodiscard]] std::string decimals(double value, int count);

}  // namespace ds4::cli
