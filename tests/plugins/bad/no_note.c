/* A complete backend without the note. */
#include "common.h"

DS4_TEST_ENTRY();
