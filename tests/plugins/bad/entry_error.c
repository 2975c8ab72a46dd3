/* The entry reports an error. */
#include "common.h"

DS4_TEST_NOTE();

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  (void)host;
  (void)out;
  (void)err;
  return test_fail(err, DS4_E_ABI, "entry says no");
}
