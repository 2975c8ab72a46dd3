// Throws while its static objects are made.
#include <stdexcept>

#include "ds4/backend.h"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, 0, DS4_TEST_NAME, "1.2.3", "tests");

namespace {
struct Thrower {
  Thrower() { throw std::runtime_error("thrown by a constructor"); }
};
Thrower thrower;
}  // namespace

extern "C" DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api*, const ds4_backend_api**,
                                                ds4_error*) {
  return DS4_E_INTERNAL;
}
