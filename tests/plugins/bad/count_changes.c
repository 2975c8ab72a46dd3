/* Each call of enumerate counts one device more. */
#include "common.h"

DS4_TEST_NOTE();

static uint32_t calls;
static ds4_status counting(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                           ds4_error* err) {
  const ds4_status status = test_enumerate(devices, capacity, count, err);
  *count = ++calls;
  return status;
}
static ds4_backend_api broken_table = {DS4_TEST_TABLE};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  broken_table.enumerate = counting;
  *out = &broken_table;
  return DS4_OK;
}
