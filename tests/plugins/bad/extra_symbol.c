/* Exports a function besides its entry. */
#include "common.h"

DS4_TEST_NOTE();

DS4_API int ds4_test_leaked(void);
int ds4_test_leaked(void) {
  return 1;
}
DS4_TEST_ENTRY();
