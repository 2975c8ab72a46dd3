#pragma once

namespace ds4::cli {

/// What the second Ctrl+C does while the first has not been answered.
enum class SecondInterrupt {
  kills,    ///< ends the program at once
  ignored,  ///< is the same as the first
};

/// Catches Ctrl+C (SIGINT) while it lives; one at a time in a program.
///
/// The handler only sets a flag; whoever runs a long thing asks raised() between its steps.
class InterruptGuard {
 public:
  explicit InterruptGuard(SecondInterrupt second);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True since the last clear().
  [[nodiscard]] static bool raised() noexcept;
  static void clear() noexcept;
};

}  // namespace ds4::cli
