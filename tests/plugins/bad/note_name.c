/* The note has another name than the file. */
#include "common.h"

__attribute__((used, aligned(4),
               section(".note.ds4.backend"))) static const ds4_note_record broken_note = {
    4,
    (uint32_t)sizeof(ds4_note),
    DS4_NOTE_TYPE,
    DS4_NOTE_OWNER,
    {DS4_ABI_MAJOR, DS4_ABI_MINOR, DS4_BACKEND_KIND_CPU,
     DS4_BUILD_SANITIZED ? DS4_NOTE_SANITIZED : 0u, 0, 0, "someone-else", "1", "tests"}};
DS4_TEST_ENTRY();
