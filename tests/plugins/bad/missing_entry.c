/* The note alone. */
#include "common.h"

DS4_TEST_NOTE();

int ds4_test_nothing(void) {
  return 0;
}
