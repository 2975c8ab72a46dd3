/* Blocks signals of the thread that opens it. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>

#include "common.h"

__attribute__((constructor)) static void start_up(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
}

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
