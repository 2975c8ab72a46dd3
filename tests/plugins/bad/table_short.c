/* The table says that it has 8 bytes. */
#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api broken_table = {DS4_TEST_TABLE};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  broken_table.struct_size = 8;
  *out = &broken_table;
  return DS4_OK;
}
