/* Its entry starts a thread that goes on. */
#include <pthread.h>
#include <unistd.h>

#include "common.h"

DS4_TEST_NOTE();

static const ds4_backend_api good_table = {DS4_TEST_TABLE};

static void* work(void* nothing) {
  for (;;) sleep(60);
  return nothing;
}

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  pthread_t thread;
  (void)err;
  test_host = host;
  if (pthread_create(&thread, NULL, work, NULL) == 0) pthread_detach(thread);
  *out = &good_table;
  return DS4_OK;
}
