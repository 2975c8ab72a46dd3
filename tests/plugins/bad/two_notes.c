/* Two notes in one file. */
#include "common.h"

DS4_TEST_NOTE();
__attribute__((used, aligned(4),
               section(".note.ds4.backend"))) static const ds4_note_record second_note = {
    4,
    (uint32_t)sizeof(ds4_note),
    DS4_NOTE_TYPE,
    DS4_NOTE_OWNER,
    {DS4_ABI_MAJOR, DS4_ABI_MINOR, DS4_BACKEND_KIND_CPU, 0, 0, 0, DS4_TEST_NAME, "1.2.3", "tests"}};
DS4_TEST_ENTRY();
