#pragma once

#include "base/error.hpp"

namespace ds4::cli {

/// Exit status of every program.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,
  kUsage = 2,
  kBackendUnusable = 3,  ///< the backend that was asked for
  kNoBackend = 4,        ///< none can be used
  kDeviceLost = 5,
  kInterrupted = 130,
};

/// The status of a program that ends because of `error` at run time.
[[nodiscard]] constexpr ExitCode exit_code(Errc code) noexcept {
  if (code == Errc::device_lost) return kDeviceLost;
  return code == Errc::cancelled ? kInterrupted : kFailure;
}

/// The status when choosing a backend (Registry::select) failed.
[[nodiscard]] constexpr ExitCode selection_exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return kUsage;
    case Errc::not_found:
      return kBackendUnusable;
    case Errc::unsupported:
      return kNoBackend;
    default:
      return exit_code(code);
  }
}

}  // namespace ds4::cli
