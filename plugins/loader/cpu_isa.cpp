// The instruction sets of the processor that this runs on, as DS4_ISA_* bits. Compiled for the
// baseline: it must run where nothing else would.
#include "loader/note.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace ds4::plugins {

#if defined(__x86_64__)
namespace {

struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Cpuid cpuid(unsigned leaf, unsigned sub_leaf) noexcept {
  Cpuid out;
  if (__get_cpuid_count(leaf, sub_leaf, &out.eax, &out.ebx, &out.ecx, &out.edx) == 0) return {};
  return out;
}

/// Register files that the kernel saves (XCR0).
std::uint64_t saved_state() noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

constexpr bool all(std::uint64_t value, std::uint64_t bits) noexcept {
  return (value & bits) == bits;
}
constexpr std::uint64_t bit(unsigned n) noexcept {
  return 1ull << n;
}

}  // namespace

std::uint64_t cpu_isa() noexcept {
  const Cpuid base = cpuid(1, 0);
  const Cpuid wide = cpuid(7, 0);
  const Cpuid extended = cpuid(0x80000001u, 0);
  constexpr unsigned kOsSavesState = 27;
  const std::uint64_t state = all(base.ecx, bit(kOsSavesState)) ? saved_state() : 0;

  std::uint64_t out = 0;
  // sse3, ssse3, cmpxchg16b, sse4.1, sse4.2, popcnt; lahf
  const bool v2 = all(base.ecx, bit(0) | bit(9) | bit(13) | bit(19) | bit(20) | bit(23)) &&
                  all(extended.ecx, bit(0));
  if (!v2) return out;
  out |= DS4_ISA_X86_64_V2;
  // fma, movbe, avx, f16c; bmi1, avx2, bmi2; lzcnt; xmm and ymm saved
  const bool v3 = all(base.ecx, bit(12) | bit(22) | bit(28) | bit(29)) &&
                  all(wide.ebx, bit(3) | bit(5) | bit(8)) && all(extended.ecx, bit(5)) &&
                  all(state, bit(1) | bit(2));
  if (!v3) return out;
  out |= DS4_ISA_X86_64_V3;
  // avx512 f, dq, cd, bw, vl; masks and zmm saved
  const bool v4 = all(wide.ebx, bit(16) | bit(17) | bit(28) | bit(30) | bit(31)) &&
                  all(state, bit(5) | bit(6) | bit(7));
  if (v4) out |= DS4_ISA_X86_64_V4;
  if (v4 && all(wide.ecx, bit(11))) out |= DS4_ISA_AVX512_VNNI;
  // amx-tile, amx-int8; tile configuration and data saved
  if (all(wide.edx, bit(24) | bit(25)) && all(state, bit(17) | bit(18))) out |= DS4_ISA_AMX_INT8;
  return out;
}
#elif defined(__aarch64__)
std::uint64_t cpu_isa() noexcept {
  // Numbers of the kernel's HWCAP and HWCAP2 words, which older headers do not all name.
  const unsigned long first = ::getauxval(AT_HWCAP);
  const unsigned long second = ::getauxval(AT_HWCAP2);
  std::uint64_t out = 0;
  if ((first & (1ul << 1)) != 0) out |= DS4_ISA_ARM_ASIMD;
  if ((first & (1ul << 20)) != 0) out |= DS4_ISA_ARM_DOTPROD;
  if ((second & (1ul << 13)) != 0) out |= DS4_ISA_ARM_I8MM;
  if ((second & (1ul << 1)) != 0) out |= DS4_ISA_ARM_SVE2;
  return out;
}
#else
std::uint64_t cpu_isa() noexcept {
  return 0;
}
#endif

}  // namespace ds4::plugins
