/* Nothing is broken here: what must still work beside each broken one. Other cases are this
 * file with another constant. */
#include "common.h"

DS4_TEST_NOTE();
DS4_TEST_ENTRY();
