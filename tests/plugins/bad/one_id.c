/* Two devices that say they are the same silicon. */
#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api broken_table = {DS4_TEST_TABLE};

static ds4_status twins(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                        ds4_error* err) {
  for (uint32_t i = 0; i < capacity && i < 2; ++i) {
    test_enumerate(devices + i, 1, count, err);
    memset(devices[i].unique_id, 7, sizeof devices[i].unique_id);
  }
  *count = 2;
  return DS4_OK;
}

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)err;
  broken_table.enumerate = twins;
  *out = &broken_table;
  return DS4_OK;
}
