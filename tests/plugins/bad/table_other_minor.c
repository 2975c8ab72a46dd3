/* The note fits, the table is of another minor. */
#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api broken_table = {DS4_TEST_TABLE};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  broken_table.abi_minor = DS4_ABI_MINOR + 1;
  *out = &broken_table;
  return DS4_OK;
}
