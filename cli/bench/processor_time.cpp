#include "bench/processor_time.hpp"

#include <time.h>

namespace ds4::bench {

double thread_seconds() noexcept {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace ds4::bench
