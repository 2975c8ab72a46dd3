/* Changes the floating-point control register while it is opened, as fast-math start-up code does.
 */
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "common.h"

__attribute__((constructor)) static void start_up(void) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040u); /* flush to zero, denormals are zero */
#else
  __asm__ volatile("msr fpcr, %0" : : "r"(1ul << 24));
#endif
}

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
