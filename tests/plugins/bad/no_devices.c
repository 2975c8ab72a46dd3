/* Works, but finds no device, and says why. */
#include "common.h"

DS4_TEST_NOTE();

static ds4_backend_api empty_table = {DS4_TEST_TABLE};

static ds4_status none(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                       ds4_error* err) {
  (void)devices;
  (void)capacity;
  (void)err;
  *count = 0;
  return DS4_OK;
}

static const char* why(uint32_t index) {
  (void)index;
  return "no driver (libacme.so.1 not found)";
}

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)err;
  empty_table.enumerate = none;
  empty_table.device_reason = why;
  *out = &empty_table;
  return DS4_OK;
}
