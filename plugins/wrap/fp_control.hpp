#pragma once

#include <cstdint>
#include <string_view>

#include "base/log.hpp"

namespace ds4::plugins {

/// The floating-point control bits of this thread (rounding, flush-to-zero, denormals-are-zero,
/// traps; not the sticky exception flags). 0 on processors that we do not know.
[[nodiscard]] std::uint64_t read_fp_control() noexcept;
void write_fp_control(std::uint64_t value) noexcept;

/// Saves the control bits of the calling thread and puts them back when it goes out of scope. A
/// library that was linked for fast mathematics would otherwise change results of the whole
/// program; a change is reported as one warning naming `backend` and `where`.
class FpGuard {
 public:
  FpGuard(const LogSink& log, std::string_view backend, std::string_view where) noexcept
      : log_(log), backend_(backend), where_(where), saved_(read_fp_control()) {}
  FpGuard(const FpGuard&) = delete;
  FpGuard& operator=(const FpGuard&) = delete;
  ~FpGuard() {
    if (read_fp_control() != saved_) restore();
  }

 private:
  void restore() noexcept;
  const LogSink& log_;
  std::string_view backend_;
  std::string_view where_;
  std::uint64_t saved_;
};

}  // namespace ds4::plugins
