/// Identity of the reference backend: its ELF note, what it is, and its one exported function.
#include "cpu-common/personality.hpp"
#include "ops/table.hpp"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, 0, "cpu-reference", "0.1.0", "ds4");

namespace ds4::reference {
namespace {

#if defined(__clang__)
#define DS4_REFERENCE_COMPILER "clang " __clang_version__
#else
#define DS4_REFERENCE_COMPILER "gcc " __VERSION__
#endif

constexpr cpu::Personality kPersonality{
    .name = "cpu-reference",
    .version = "0.1.0",
    .build = DS4_REFERENCE_COMPILER ", no fast-math, no contraction",
    .score = [] { return DS4_SCORE_REFERENCE; },
    .reason = [] { return ""; },
    .capabilities = 0,
    .ops = kOps,
    .shared_work = 60'000,
    .layout = nullptr,
    .fingerprint = "cpu-reference/source/1",
};

}  // namespace
}  // namespace ds4::reference

const ds4::cpu::Personality& ds4::cpu::personality() noexcept {
  return reference::kPersonality;
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
