/* The note fits, the entry is that of another major. */
#include "common.h"

DS4_TEST_NOTE();

DS4_API ds4_status ds4_backend_entry_2(const ds4_host_api* host, const ds4_backend_api** out,
                                       ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  return DS4_E_ABI;
}
