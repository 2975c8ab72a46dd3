#include "detect.hpp"

#include "../kernels/tiles_are_right.hpp"
#include "ds4/backend.h"
#include "level.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace ds4::fast {
namespace {

#if defined(__x86_64__)

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};
Leaf cpuid(unsigned leaf, unsigned part = 0) noexcept {
  Leaf out;
  if (__get_cpuid_count(leaf, part, &out.eax, &out.ebx, &out.ecx, &out.edx) == 0) return {};
  return out;
}

/// Which register states the operating system saves, XCR0; 0 without XGETBV.
std::uint64_t saved_states() noexcept {
  constexpr unsigned kOsxsave = 1u << 27;
  if ((cpuid(1).ecx & kOsxsave) == 0) return 0;
  unsigned low;
  unsigned high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

constexpr std::uint64_t kYmmState = 0x6;       // SSE, AVX
constexpr std::uint64_t kZmmState = 0xe6;      // and opmask, upper halves, upper registers
constexpr std::uint64_t kTileState = 0x60000;  // tile shapes, tile data
[[maybe_unused]] constexpr bool has_bit(unsigned word, unsigned bit) noexcept {
  return (word >> bit & 1u) != 0;
}

[[maybe_unused]] const char* missing_avx2() noexcept {
  const Leaf first = cpuid(1);
  const Leaf seventh = cpuid(7);
  if (!has_bit(first.ecx, 28)) return "the processor has no AVX";
  if ((saved_states() & kYmmState) != kYmmState) {
    return "the operating system does not save the AVX registers (XCR0)";
  }
  if (!has_bit(seventh.ebx, 5)) return "the processor has no AVX2";
  if (!has_bit(first.ecx, 12)) return "the processor has no FMA";
  if (!has_bit(first.ecx, 29)) return "the processor has no F16C";
  return nullptr;
}

[[maybe_unused]] const char* missing_avx512() noexcept {
  if (const char* missing = missing_avx2()) return missing;
  const Leaf seventh = cpuid(7);
  if (!has_bit(seventh.ebx, 16)) return "the processor has no AVX-512 (AVX512F)";
  if ((saved_states() & kZmmState) != kZmmState) {
    return "the operating system does not save the AVX-512 registers (XCR0)";
  }
  if (!has_bit(seventh.ebx, 17)) return "the processor has no AVX512DQ";
  if (!has_bit(seventh.ebx, 30)) return "the processor has no AVX512BW";
  if (!has_bit(seventh.ebx, 31)) return "the processor has no AVX512VL";
  if (!has_bit(seventh.ecx, 11)) return "the processor has no AVX512_VNNI";
  if (!has_bit(seventh.ecx, 1)) return "the processor has no AVX512_VBMI";
  if (!has_bit(seventh.ecx, 8)) return "the processor has no GFNI";
  return nullptr;
}

/// Asks the kernel to let this process use tile data, which it saves only for those that asked. The
/// permission is the process's: threads that run already have it too.
[[maybe_unused]] bool may_use_tiles() noexcept {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM, Linux 5.16
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

[[maybe_unused]] const char* missing_amx() noexcept {
  if (const char* missing = missing_avx512()) return missing;
  const Leaf seventh = cpuid(7);
  if (!has_bit(seventh.edx, 24)) return "the processor has no AMX (AMX_TILE)";
  if (!has_bit(seventh.edx, 25)) return "the processor has no AMX_INT8";
  if ((saved_states() & kTileState) != kTileState) {
    return "the operating system does not save the AMX tiles (XCR0)";
  }
  if (!may_use_tiles()) {
    return "the operating system does not let this process use the AMX tiles (arch_prctl)";
  }
  return nullptr;
}

#elif defined(__aarch64__)

// What the kernel says of the processor (Documentation/arch/arm64/elf_hwcaps.rst).
[[maybe_unused]] constexpr unsigned long kDotProduct = 1ul << 20;     // AT_HWCAP, asimddp
[[maybe_unused]] constexpr unsigned long kMatrixProduct = 1ul << 13;  // AT_HWCAP2, i8mm

[[maybe_unused]] const char* missing_dotprod() noexcept {
  if ((::getauxval(AT_HWCAP) & kDotProduct) == 0) return "the processor has no DotProd (asimddp)";
  return nullptr;
}
[[maybe_unused]] const char* missing_i8mm() noexcept {
  if (const char* missing = missing_dotprod()) return missing;
  if ((::getauxval(AT_HWCAP2) & kMatrixProduct) == 0) return "the processor has no I8MM";
  return nullptr;
}

#endif

/// The first feature that this level needs and the machine lacks; null when there is none.
const char* missing_feature() noexcept {
#if DS4_CPU_LEVEL == DS4_CPU_LEVEL_AMX
  return missing_amx();
#elif DS4_CPU_LEVEL == DS4_CPU_LEVEL_AVX512
  return missing_avx512();
#elif DS4_CPU_LEVEL == DS4_CPU_LEVEL_AVX2
  return missing_avx2();
#elif DS4_CPU_LEVEL == DS4_CPU_LEVEL_I8MM
  return missing_i8mm();
#elif DS4_CPU_LEVEL == DS4_CPU_LEVEL_DOTPROD
  return missing_dotprod();
#else
  return nullptr;
#endif
}

/// Why this level cannot run here; null: it can.
const char* missing() noexcept {
#if defined(DS4_CPU_TILES)
  // Permission is asked for, and a product tried, once for the process.
  static const char* const answer = [] {
    const char* feature = missing_feature();
    if (feature != nullptr || tiles_are_right()) return feature;
    return "the processor's AMX tiles do not give the products that they should";
  }();
  return answer;
#else
  return missing_feature();
#endif
}

}  // namespace

std::uint32_t level_score() noexcept {
  return missing() != nullptr ? DS4_SCORE_CANNOT_RUN : kLevelScore;
}

const char* level_reason() noexcept {
  const char* text = missing();
  if (text != nullptr) return text;
#if DS4_CPU_LEVEL == DS4_CPU_LEVEL_AMX
  return "not yet run on such a processor: proven with plain code in place of its tiles";
#elif defined(__x86_64__)
  return "";
#else
  return "not yet measured on this architecture";
#endif
}

}  // namespace ds4::fast
