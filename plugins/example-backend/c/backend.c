/* The note, the table, the entry; device, buffers and streams. Everything runs before its call
 * returns, so a stream has no state of its own. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "objects.h"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, 0, DS4_BACKEND_NAME, DS4_BACKEND_VERSION, "example");

ds4_status failed(ds4_error* err, ds4_status status, const char* format, ...) {
  if (err == NULL || err->struct_size < sizeof *err) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(err->text, sizeof err->text, format, arguments);
  va_end(arguments);
  err->code = status;
  err->native_code = 0;
  err->op_id = 0;
  err->op_tag = 0;
  return status;
}

static ds4_status null_argument(ds4_error* err) {
  return failed(err, DS4_E_INVALID_ARGUMENT, "a handle or a place for the result is null");
}

void* new_object(ds4_device* device, uint64_t bytes) {
  const ds4_host_api* host = device->host;
  void* object = host->alloc(host->host_ctx, bytes, 16, "object");
  if (object == NULL) return NULL;
  memset(object, 0, bytes);
  ++device->children;
  return object;
}

void delete_object(ds4_device* device, void* object) {
  device->host->free(device->host->host_ctx, object);
  --device->children;
}

static ds4_status describe(ds4_backend_info* out, ds4_error* err) {
  if (out == NULL) return null_argument(err);
  if (out->struct_size < sizeof *out) return failed(err, DS4_E_ABI, "backend info is too short");
  out->kind = DS4_BACKEND_KIND_CPU;
  out->name = DS4_BACKEND_NAME;
  out->version = DS4_BACKEND_VERSION;
  out->vendor = "example";
  out->build = "C11, plain loops";
  out->licence = "as ds4";
  return DS4_OK;
}

static ds4_status enumerate(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                            ds4_error* err) {
  if (count == NULL || (capacity != 0 && devices == NULL)) return null_argument(err);
  *count = 1;
  if (capacity == 0) return DS4_OK;
  const uint32_t size = devices->struct_size;
  if (size < sizeof *devices) return failed(err, DS4_E_ABI, "device info is too short");
  memset(devices, 0, sizeof *devices);
  devices->struct_size = size;
  devices->kind = DS4_DEVICE_KIND_CPU;
  strcpy(devices->name, "the processor, in plain C");
  strcpy(devices->architecture, "any");
  memcpy(devices->unique_id, "example-plain-c.", sizeof devices->unique_id);
  devices->capabilities = DS4_CAP_DETERMINISTIC | DS4_CAP_ROW_INVARIANT | DS4_CAP_UNLOAD_SAFE;
  devices->score = DS4_SCORE_REFERENCE; /* correct, not fast */
  devices->memory_kinds = 1;
  devices->memory[0].kind = DS4_MEMORY_HOST;
  devices->memory[0].host_visible = 1;
  devices->memory[0].coherent = 1;
  devices->memory[0].alignment = 64;
  return DS4_OK;
}

static const char* device_reason(uint32_t index) {
  return index == 0 ? "" : "there is one device, with index 0";
}

static const void* get_extension(const char* name, uint32_t version) {
  (void)name;
  (void)version;
  return NULL;
}

static ds4_status device_open(uint32_t index, const ds4_device_options* options, ds4_device** out,
                              ds4_error* err) {
  const uint32_t known = DS4_DEVICE_PROFILE | DS4_DEVICE_DETERMINISTIC | DS4_DEVICE_VALIDATE;
  if (options == NULL || out == NULL) return null_argument(err);
  if (options->struct_size < sizeof *options || options->host == NULL) {
    return failed(err, DS4_E_ABI, "device options are too short");
  }
  if (index != 0) return failed(err, DS4_E_INVALID_ARGUMENT, "there is no device %u", index);
  if ((options->flags & ~known) != 0) {
    return failed(err, DS4_E_UNSUPPORTED, "device options: unknown flags in %u", options->flags);
  }
  const ds4_host_api* host = options->host;
  ds4_device* device = host->alloc(host->host_ctx, sizeof *device, 16, "device");
  if (device == NULL) return failed(err, DS4_E_OUT_OF_MEMORY, "no memory for the device");
  device->host = host;
  device->validates = (options->flags & DS4_DEVICE_VALIDATE) != 0;
  atomic_init(&device->children, 0);
  *out = device;
  return DS4_OK;
}

static ds4_status device_close(ds4_device* device, ds4_error* err) {
  if (device == NULL) return null_argument(err);
  const uint64_t left = device->children;
  if (left != 0) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "%llu objects of this device still live",
                  (unsigned long long)left);
  }
  device->host->free(device->host->host_ctx, device);
  return DS4_OK;
}

static ds4_status buffer_create(ds4_device* device, uint64_t bytes, uint32_t memory_kind,
                                uint32_t usage, ds4_buffer** out, ds4_error* err) {
  if (device == NULL || out == NULL) return null_argument(err);
  if (memory_kind != DS4_MEMORY_HOST || usage < DS4_USAGE_WEIGHTS || usage > DS4_USAGE_STEP) {
    return failed(err, DS4_E_UNSUPPORTED, "memory kind %u or usage %u is not here", memory_kind,
                  usage);
  }
  ds4_buffer* buffer = new_object(device, sizeof *buffer);
  if (buffer == NULL) return failed(err, DS4_E_OUT_OF_MEMORY, "no memory for a buffer");
  buffer->device = device;
  buffer->bytes = bytes;
  buffer->data = device->host->alloc(device->host->host_ctx, bytes != 0 ? bytes : 1, 64, "buffer");
  if (buffer->data == NULL) {
    delete_object(device, buffer);
    return failed(err, DS4_E_OUT_OF_MEMORY, "no memory for %llu bytes", (unsigned long long)bytes);
  }
  *out = buffer;
  return DS4_OK;
}

static void buffer_destroy(ds4_buffer* buffer) {
  if (buffer == NULL) return;
  buffer->device->host->free(buffer->device->host->host_ctx, buffer->data);
  delete_object(buffer->device, buffer);
}

/* The bytes [offset, offset + bytes) of a buffer, or null and an error. */
static unsigned char* inside(const ds4_stream* stream, const ds4_buffer* buffer, uint64_t offset,
                             uint64_t bytes, ds4_error* err) {
  if (stream == NULL || buffer == NULL || buffer->device != stream->device) {
    failed(err, DS4_E_INVALID_ARGUMENT, "a handle is null or of another device");
    return NULL;
  }
  if (offset > buffer->bytes || bytes > buffer->bytes - offset) {
    failed(err, DS4_E_INVALID_ARGUMENT, "%llu bytes at %llu go beyond a buffer of %llu bytes",
           (unsigned long long)bytes, (unsigned long long)offset,
           (unsigned long long)buffer->bytes);
    return NULL;
  }
  return buffer->data + offset;
}

static ds4_status buffer_write(ds4_stream* stream, ds4_buffer* dst, uint64_t offset,
                               const void* src, uint64_t bytes, ds4_error* err) {
  unsigned char* to = inside(stream, dst, offset, bytes, err);
  if (to == NULL) return DS4_E_INVALID_ARGUMENT;
  if (bytes != 0 && src == NULL) return null_argument(err);
  if (bytes != 0) memcpy(to, src, bytes);
  return DS4_OK;
}

static ds4_status buffer_read(ds4_stream* stream, const ds4_buffer* src, uint64_t offset, void* dst,
                              uint64_t bytes, ds4_error* err) {
  const unsigned char* from = inside(stream, src, offset, bytes, err);
  if (from == NULL) return DS4_E_INVALID_ARGUMENT;
  if (bytes != 0 && dst == NULL) return null_argument(err);
  if (bytes != 0) memcpy(dst, from, bytes);
  return DS4_OK;
}

static ds4_status buffer_copy(ds4_stream* stream, ds4_buffer* dst, uint64_t dst_offset,
                              const ds4_buffer* src, uint64_t src_offset, uint64_t bytes,
                              ds4_error* err) {
  unsigned char* to = inside(stream, dst, dst_offset, bytes, err);
  const unsigned char* from = to != NULL ? inside(stream, src, src_offset, bytes, err) : NULL;
  if (from == NULL) return DS4_E_INVALID_ARGUMENT;
  memmove(to, from, bytes);
  return DS4_OK;
}

static ds4_status buffer_fill(ds4_stream* stream, ds4_buffer* dst, uint64_t offset, uint64_t bytes,
                              uint8_t value, ds4_error* err) {
  unsigned char* to = inside(stream, dst, offset, bytes, err);
  if (to == NULL) return DS4_E_INVALID_ARGUMENT;
  memset(to, value, bytes);
  return DS4_OK;
}

static ds4_status stream_create(ds4_device* device, ds4_stream** out, ds4_error* err) {
  if (device == NULL || out == NULL) return null_argument(err);
  ds4_stream* stream = new_object(device, sizeof *stream);
  if (stream == NULL) return failed(err, DS4_E_OUT_OF_MEMORY, "no memory for a stream");
  stream->device = device;
  *out = stream;
  return DS4_OK;
}

static void stream_destroy(ds4_stream* stream) {
  if (stream != NULL) delete_object(stream->device, stream);
}

static ds4_status stream_sync(ds4_stream* stream, ds4_error* err) {
  return stream != NULL ? DS4_OK : null_argument(err);
}

static const ds4_backend_api table = {
    .struct_size = sizeof(ds4_backend_api),
    .abi_major = DS4_ABI_MAJOR,
    .abi_minor = DS4_ABI_MINOR,
    .describe = describe,
    .enumerate = enumerate,
    .device_reason = device_reason,
    .device_open = device_open,
    .device_close = device_close,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .buffer_copy = buffer_copy,
    .buffer_fill = buffer_fill,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_sync = stream_sync,
    .weight_query = weight_query,
    .weight_import_begin = weight_import_begin,
    .weight_import_write = weight_import_write,
    .weight_import_finish = weight_import_finish,
    .weight_import_abort = weight_import_abort,
    .weight_destroy = weight_destroy,
    .op_support = op_support,
    .workspace_size = workspace_size,
    .enqueue = enqueue,
    .get_extension = get_extension,
};

DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host, const ds4_backend_api** out,
                                     ds4_error* err) {
  if (host == NULL || out == NULL) return null_argument(err);
  if (host->abi_major != DS4_ABI_MAJOR || host->abi_minor != DS4_ABI_MINOR) {
    return failed(err, DS4_E_ABI, "the host speaks ABI %u.%u, this backend %d.%d", host->abi_major,
                  host->abi_minor, DS4_ABI_MAJOR, DS4_ABI_MINOR);
  }
  *out = &table;
  return DS4_OK;
}
