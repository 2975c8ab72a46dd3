/* The parts of a small complete backend in C, from which each case takes what it does not break.
 * Buffers are host memory from the host's own allocator, so that a test can count what is left. */
#ifndef DS4_TEST_BAD_COMMON_H
#define DS4_TEST_BAD_COMMON_H

#include <string.h>

#include "ds4/backend.h"

#ifndef DS4_TEST_ISA
#define DS4_TEST_ISA 0
#endif
#ifndef DS4_TEST_SCORE
#define DS4_TEST_SCORE 120u
#endif
#ifndef DS4_TEST_REASON
#define DS4_TEST_REASON ""
#endif
#ifndef DS4_TEST_DESCRIBED_NAME
#define DS4_TEST_DESCRIBED_NAME DS4_TEST_NAME
#endif

struct ds4_device {
  const ds4_host_api* host;
};
struct ds4_buffer {
  const ds4_host_api* host;
  unsigned char* data;
  uint64_t bytes;
};
struct ds4_stream {
  const ds4_host_api* host;
};

static const ds4_host_api* test_host;

static inline ds4_status test_fail(ds4_error* err, ds4_status status, const char* text) {
  if (err != NULL) {
    err->code = status;
    strncpy(err->text, text, sizeof err->text - 1);
  }
  return status;
}

static inline ds4_status test_describe(ds4_backend_info* out, ds4_error* err) {
  (void)err;
  out->kind = DS4_BACKEND_KIND_CPU;
  out->name = DS4_TEST_DESCRIBED_NAME;
  out->version = "1.2.3";
  out->vendor = "tests";
  out->build = "test build";
  out->licence = "MIT";
  return DS4_OK;
}

static inline ds4_status test_enumerate(ds4_device_info* devices, uint32_t capacity,
                                        uint32_t* count, ds4_error* err) {
  (void)err;
  *count = 1;
  if (capacity < 1) return DS4_OK;
  devices->kind = DS4_DEVICE_KIND_CPU;
  strcpy(devices->name, "test device");
  strcpy(devices->architecture, "any");
  devices->score = DS4_TEST_SCORE;
  strcpy(devices->reason, DS4_TEST_REASON);
  devices->memory_kinds = 1;
  devices->memory[0].kind = DS4_MEMORY_HOST;
  devices->memory[0].host_visible = 1;
  devices->memory[0].alignment = 64;
  return DS4_OK;
}

static inline const char* test_reason(uint32_t index) {
  (void)index;
  return DS4_TEST_REASON;
}

static inline ds4_status test_open(uint32_t index, const ds4_device_options* options,
                                   ds4_device** out, ds4_error* err) {
  (void)options;
  if (index != 0) return test_fail(err, DS4_E_INVALID_ARGUMENT, "no such device");
  *out = test_host->alloc(test_host->host_ctx, sizeof(ds4_device), 16, "device");
  if (*out == NULL) return test_fail(err, DS4_E_OUT_OF_MEMORY, "no memory for the device");
  (*out)->host = test_host;
  return DS4_OK;
}

static inline ds4_status test_close(ds4_device* device, ds4_error* err) {
  (void)err;
  device->host->free(device->host->host_ctx, device);
  return DS4_OK;
}

static inline ds4_status test_buffer_create(ds4_device* device, uint64_t bytes, uint32_t kind,
                                            uint32_t usage, ds4_buffer** out, ds4_error* err) {
  const ds4_host_api* host = device->host;
  (void)usage;
  if (kind != DS4_MEMORY_HOST) return test_fail(err, DS4_E_INVALID_ARGUMENT, "no such memory");
  *out = host->alloc(host->host_ctx, sizeof(ds4_buffer), 16, "buffer");
  if (*out == NULL) return test_fail(err, DS4_E_OUT_OF_MEMORY, "no memory for the buffer");
  (*out)->host = host;
  (*out)->bytes = bytes;
  (*out)->data = host->alloc(host->host_ctx, bytes, 64, "data");
  if ((*out)->data != NULL) return DS4_OK;
  host->free(host->host_ctx, *out);
  return test_fail(err, DS4_E_OUT_OF_MEMORY, "no memory for the bytes");
}

static inline void test_buffer_destroy(ds4_buffer* buffer) {
  buffer->host->free(buffer->host->host_ctx, buffer->data);
  buffer->host->free(buffer->host->host_ctx, buffer);
}

static inline ds4_status test_write(ds4_stream* s, ds4_buffer* dst, uint64_t offset,
                                    const void* src, uint64_t bytes, ds4_error* err) {
  (void)s;
  if (offset + bytes > dst->bytes) return test_fail(err, DS4_E_INVALID_ARGUMENT, "out of range");
  memcpy(dst->data + offset, src, bytes);
  return DS4_OK;
}

static inline ds4_status test_read(ds4_stream* s, const ds4_buffer* src, uint64_t offset, void* dst,
                                   uint64_t bytes, ds4_error* err) {
  (void)s;
  if (offset + bytes > src->bytes) return test_fail(err, DS4_E_INVALID_ARGUMENT, "out of range");
  memcpy(dst, src->data + offset, bytes);
  return DS4_OK;
}

static inline ds4_status test_copy(ds4_stream* s, ds4_buffer* dst, uint64_t to,
                                   const ds4_buffer* src, uint64_t from, uint64_t bytes,
                                   ds4_error* err) {
  return test_write(s, dst, to, src->data + from, bytes, err);
}

static inline ds4_status test_fill(ds4_stream* s, ds4_buffer* dst, uint64_t offset, uint64_t bytes,
                                   uint8_t value, ds4_error* err) {
  (void)s;
  if (offset + bytes > dst->bytes) return test_fail(err, DS4_E_INVALID_ARGUMENT, "out of range");
  memset(dst->data + offset, value, bytes);
  return DS4_OK;
}

static inline ds4_status test_stream_create(ds4_device* device, ds4_stream** out, ds4_error* err) {
  *out = device->host->alloc(device->host->host_ctx, sizeof(ds4_stream), 16, "stream");
  if (*out == NULL) return test_fail(err, DS4_E_OUT_OF_MEMORY, "no memory for the stream");
  (*out)->host = device->host;
  return DS4_OK;
}
static inline void test_stream_destroy(ds4_stream* stream) {
  stream->host->free(stream->host->host_ctx, stream);
}
static inline ds4_status test_sync(ds4_stream* stream, ds4_error* err) {
  (void)stream;
  (void)err;
  return DS4_OK;
}

static inline ds4_status test_weight_query(ds4_device* d, const ds4_weight_desc* desc,
                                           ds4_weight_answer* out, ds4_error* err) {
  (void)d;
  (void)desc;
  (void)err;
  out->accepted = 0;
  return DS4_OK;
}
static inline ds4_status test_import_begin(ds4_device* d, const ds4_weight_desc* desc,
                                           uint32_t flags, ds4_import** out, ds4_error* err) {
  (void)d;
  (void)desc;
  (void)flags;
  (void)out;
  return test_fail(err, DS4_E_UNSUPPORTED, "takes no weights");
}
static inline ds4_status test_import_write(ds4_import* i, uint64_t o, const void* p, uint64_t n,
                                           ds4_error* err) {
  (void)i;
  (void)o;
  (void)p;
  (void)n;
  return test_fail(err, DS4_E_UNSUPPORTED, "takes no weights");
}
static inline ds4_status test_import_finish(ds4_import* i, ds4_weight** out, ds4_error* err) {
  (void)i;
  (void)out;
  return test_fail(err, DS4_E_UNSUPPORTED, "takes no weights");
}
static inline void test_import_abort(ds4_import* i) {
  (void)i;
}
static inline void test_weight_destroy(ds4_weight* w) {
  (void)w;
}
static inline ds4_status test_op_support(ds4_device* d, const ds4_op* op, ds4_op_support* out,
                                         ds4_error* err) {
  (void)d;
  (void)op;
  (void)err;
  out->level = DS4_SUPPORT_NO;
  strcpy(out->reason, "test backend");
  return DS4_OK;
}
static inline ds4_status test_workspace(ds4_device* d, const ds4_op* const* ops, uint32_t n,
                                        uint64_t* bytes, ds4_error* err) {
  (void)d;
  (void)ops;
  (void)n;
  (void)err;
  *bytes = 0;
  return DS4_OK;
}
static inline ds4_status test_enqueue(ds4_stream* s, const ds4_submission* w, ds4_error* err) {
  (void)s;
  if (w->count == 0) return DS4_OK;
  if (err != NULL) {
    err->op_id = w->ops[0]->id;
    err->op_tag = w->ops[0]->tag;
  }
  return test_fail(err, DS4_E_UNSUPPORTED, "runs no op");
}
static inline const void* test_extension(const char* name, uint32_t version) {
  (void)name;
  (void)version;
  return NULL;
}

#ifndef __cplusplus
/* C++ cases break before a table is needed. */
#define DS4_TEST_TABLE                                                                            \
  .struct_size = sizeof(ds4_backend_api), .abi_major = DS4_ABI_MAJOR, .abi_minor = DS4_ABI_MINOR, \
  .describe = test_describe, .enumerate = test_enumerate, .device_reason = test_reason,           \
  .device_open = test_open, .device_close = test_close, .buffer_create = test_buffer_create,      \
  .buffer_destroy = test_buffer_destroy, .buffer_write = test_write, .buffer_read = test_read,    \
  .buffer_copy = test_copy, .buffer_fill = test_fill, .stream_create = test_stream_create,        \
  .stream_destroy = test_stream_destroy, .stream_sync = test_sync,                                \
  .weight_query = test_weight_query, .weight_import_begin = test_import_begin,                    \
  .weight_import_write = test_import_write, .weight_import_finish = test_import_finish,           \
  .weight_import_abort = test_import_abort, .weight_destroy = test_weight_destroy,                \
  .op_support = test_op_support, .workspace_size = test_workspace, .enqueue = test_enqueue,       \
  .get_extension = test_extension
#endif

#define DS4_TEST_NOTE() \
  DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, DS4_TEST_ISA, DS4_TEST_NAME, "1.2.3", "tests")

/* The whole backend but its note; DS4_TEST_NOTE goes with it. */
#define DS4_TEST_ENTRY()                                                                      \
  static const ds4_backend_api test_table = {DS4_TEST_TABLE};                                 \
  DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out, \
                                       ds4_error* err) {                                      \
    (void)err;                                                                                \
    test_host = host;                                                                         \
    *out = &test_table;                                                                       \
    return DS4_OK;                                                                            \
  }                                                                                           \
  typedef int ds4_test_entry_needs_semicolon

#endif
