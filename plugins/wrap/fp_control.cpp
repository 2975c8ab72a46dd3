#include "wrap/fp_control.hpp"

#include <exception>
#include <string>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace ds4::plugins {

#if defined(__x86_64__)
namespace {
constexpr std::uint32_t kStickyFlags = 0x3f;  // MXCSR bits 0..5: any arithmetic sets them
}

std::uint64_t read_fp_control() noexcept {
  return _mm_getcsr() & ~kStickyFlags;
}

void write_fp_control(std::uint64_t value) noexcept {
  _mm_setcsr(static_cast<std::uint32_t>(value) | (_mm_getcsr() & kStickyFlags));
}
#elif defined(__aarch64__)
std::uint64_t read_fp_control() noexcept {
  std::uint64_t value = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}

void write_fp_control(std::uint64_t value) noexcept {
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
}
#else
std::uint64_t read_fp_control() noexcept {
  return 0;
}
void write_fp_control(std::uint64_t) noexcept {}
#endif

void FpGuard::restore() noexcept {
  write_fp_control(saved_);
  if (!log_) return;
  try {
    log_(LogLevel::warning, backend_,
         "changed the floating-point control register in " + std::string(where_) +
             "; it was restored: build the backend without -ffast-math at the link step");
  } catch (const std::exception&) {
    // No memory for the line: the register is restored, which is what matters.
  }
}

}  // namespace ds4::plugins
