/// Identity of one level of the fast CPU backend: its ELF note, what it is, and its one exported
/// function. Compiled for the oldest processor: it runs before the level is known to be usable.
#include "cpu-common/personality.hpp"
#include "isa/detect.hpp"
#include "ops/table.hpp"
#include "pack/layouts.hpp"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, 0, DS4_BACKEND_NAME, DS4_BACKEND_VERSION, "ds4");

namespace ds4::fast {
namespace {

#if defined(__clang__)
#define DS4_FAST_COMPILER "clang " __clang_version__
#else
#define DS4_FAST_COMPILER "gcc " __VERSION__
#endif

constexpr cpu::Personality kPersonality{
    .name = DS4_BACKEND_NAME,
    .version = DS4_BACKEND_VERSION,
    .build = DS4_FAST_COMPILER ", kernels with " DS4_CPU_FLAGS,
    .score = level_score,
    .reason = level_reason,
    .capabilities = DS4_CAP_INT8_ACTIVATIONS,
    .ops = kOps,
    .shared_work = 200'000,
    .layout = layout_of,
    .fingerprint = kLayoutFingerprint,
};

}  // namespace
}  // namespace ds4::fast

const ds4::cpu::Personality& ds4::cpu::personality() noexcept {
  return fast::kPersonality;
}

extern "C" DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host,
                                                const ds4_backend_api** out, ds4_error* err);

extern "C" DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host,
                                                const ds4_backend_api** out, ds4_error* err) {
  return ds4::sdk::fence(err, [&] {
    ds4::sdk::check_host(host);
    ds4::sdk::need(out, "table pointer") = &ds4::cpu::backend_table();
  });
}
