/* Does not come back for a minute. */
#include <unistd.h>

#include "common.h"

__attribute__((constructor)) static void start_up(void) {
  sleep(60);
}

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
