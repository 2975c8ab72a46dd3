#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/console.hpp"

namespace ds4::cli {

/// Progress of moving bytes, on stderr: on a terminal one line rewritten at most five times a
/// second, otherwise a line for every tenth.
class ByteProgressLine {
 public:
  /// `what` is done: "writing: 1.20 of 8.80 GiB (14%), 1.31 GiB/s".
  ByteProgressLine(const Console& console, std::string what);
  ByteProgressLine(const ByteProgressLine&) = delete;
  ByteProgressLine& operator=(const ByteProgressLine&) = delete;
  /// Ends the line, so that an error that follows begins its own.
  ~ByteProgressLine() { end_line(); }
  void update(std::uint64_t done, std::uint64_t total);
  /// Ends the line that is rewritten on a terminal, if there is one.
  void end_line();
  [[nodiscard]] double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  const Console& console_;
  std::string what_;
  Clock::time_point begin_;
  Clock::time_point shown_;
  std::uint64_t tenths_ = 0;
  bool has_line_ = false;
};

/// Progress of loading weights.
class LoadProgressLine {
 public:
  explicit LoadProgressLine(const Console& console)
      : console_(console), line_(console, "loading weights") {}
  /// Bytes of weights.
  void update(std::uint64_t done, std::uint64_t total) { line_.update(done, total); }
  /// "ready in S s".
  void finish();

 private:
  const Console& console_;
  ByteProgressLine line_;
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
