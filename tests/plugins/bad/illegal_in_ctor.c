/* Runs an instruction that does not exist while it is opened. */

#include "common.h"

__attribute__((constructor)) static void start_up(void) {
  __builtin_trap();
}

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
