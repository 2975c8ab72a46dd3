/* What the opaque handles of the ABI are in this backend. */
#ifndef EXAMPLE_OBJECTS_H
#define EXAMPLE_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ds4/backend.h"
#include "ds4/ops.h"

struct ds4_device {
  const ds4_host_api* host;
  bool validates;                /* DS4_DEVICE_VALIDATE: overlap is refused */
  atomic_uint_fast64_t children; /* buffers, streams, imports and weights that live */
};

struct ds4_buffer {
  ds4_device* device;
  unsigned char* data;
  uint64_t bytes;
};

struct ds4_stream {
  ds4_device* device;
};

/* Rows of `width` values in the source's own format; a rank-1 weight is one row. */
struct ds4_weight {
  ds4_device* device;
  unsigned char* data;
  uint64_t bytes, rows;
  uint32_t dtype, rank, width;
  uint32_t extent[4];
};

struct ds4_import {
  ds4_weight* weight;
  uint64_t written; /* bytes so far: they come in ascending order */
};

/* Fills err as far as it reaches and gives `status` back. */
ds4_status failed(ds4_error* err, ds4_status status, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/* Host memory for an object of the device, zeroed, and counted among its children; or null. */
void* new_object(ds4_device* device, uint64_t bytes);
void delete_object(ds4_device* device, void* object);

/* weights.c */
ds4_status weight_query(ds4_device*, const ds4_weight_desc*, ds4_weight_answer*, ds4_error*);
ds4_status weight_import_begin(ds4_device*, const ds4_weight_desc*, uint32_t, ds4_import**,
                               ds4_error*);
ds4_status weight_import_write(ds4_import*, uint64_t, const void*, uint64_t, ds4_error*);
ds4_status weight_import_finish(ds4_import*, ds4_weight**, ds4_error*);
void weight_import_abort(ds4_import*);
void weight_destroy(ds4_weight*);

/* call.c */
ds4_status op_support(ds4_device*, const ds4_op*, ds4_op_support*, ds4_error*);
ds4_status workspace_size(ds4_device*, const ds4_op* const*, uint32_t, uint64_t*, ds4_error*);
ds4_status enqueue(ds4_stream*, const ds4_submission*, ds4_error*);

#endif
