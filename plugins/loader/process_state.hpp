#pragma once

#include <signal.h>

#include <optional>
#include <string>

namespace ds4::plugins {

/// What belongs to the whole process and what opening a backend must leave as it was. Only a
/// process that nothing else runs in can tell who changed it: the probe.
class ProcessState {
 public:
  /// The state now.
  ProcessState();

  /// What differs from this state now, as the end of a sentence about a backend; nothing when all
  /// is as it was. Threads that appeared count only if `counts_threads`: drivers that enumerate
  /// devices may keep some.
  [[nodiscard]] std::optional<std::string> left_behind(bool counts_threads) const;

 private:
  std::string directory_;
  std::string locale_;
  sigset_t blocked_{};
  unsigned threads_ = 0;
};

}  // namespace ds4::plugins
