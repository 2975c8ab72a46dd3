/* Not broken: a newer peer's table is longer than what this runtime knows. */
#include "common.h"

DS4_TEST_NOTE();

static struct {
  ds4_backend_api known;
  void* newer[8];
} long_table = {{DS4_TEST_TABLE}, {0}};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)err;
  test_host = host;
  long_table.known.struct_size = sizeof long_table;
  *out = &long_table.known;
  return DS4_OK;
}
