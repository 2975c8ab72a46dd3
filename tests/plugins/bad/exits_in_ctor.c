/* Ends the process while it is opened. */
#include <stdlib.h>

#include "common.h"

__attribute__((constructor)) static void start_up(void) {
  exit(7);
}

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
