/* Changes the working directory of the process while it counts its devices. */
#include <unistd.h>

#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api broken_table = {DS4_TEST_TABLE};

static ds4_status moving(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                         ds4_error* err) {
  if (chdir("/") != 0) return DS4_E_INTERNAL;
  return test_enumerate(devices, capacity, count, err);
}

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)err;
  test_host = host;
  broken_table.enumerate = moving;
  *out = &broken_table;
  return DS4_OK;
}
