/* A required function is missing. */
#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api broken_table = {DS4_TEST_TABLE};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  broken_table.enqueue = NULL;
  *out = &broken_table;
  return DS4_OK;
}
