// Identity of this backend: its ELF note, its table, its one exported function; and memory, which
// for a backend on the processor is the host's.
#include <memory>

#include "objects.hpp"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_CPU, 0, DS4_BACKEND_NAME, DS4_BACKEND_VERSION, "example");

namespace example {

std::byte* allocate(const ds4_host_api& host, std::uint64_t bytes, const char* tag) {
  void* block = host.alloc(host.host_ctx, bytes != 0 ? bytes : 1, kAlignment, tag);
  if (block == nullptr) {
    throw sdk::failure(DS4_E_OUT_OF_MEMORY, "no memory for ", bytes, " bytes of ", tag);
  }
  return static_cast<std::byte*>(block);
}

void release(const ds4_host_api& host, std::byte* block) noexcept {
  if (block != nullptr) host.free(host.host_ctx, block);
}

namespace {

// ---- facts --------------------------------------------------------------------------------------

ds4_status describe(ds4_backend_info* out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_backend_info& info = sdk::need_struct(out, "backend info");
    info.kind = DS4_BACKEND_KIND_CPU;
    info.name = DS4_BACKEND_NAME;
    info.version = DS4_BACKEND_VERSION;
    info.vendor = "example";
    info.build = "C++20, plain loops";
    info.licence = "as ds4";
  });
}

ds4_status enumerate(ds4_device_info* devices, std::uint32_t capacity, std::uint32_t* count,
                     ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(count, "count") = 1;
    if (capacity == 0) return;
    ds4_device_info& info = sdk::need_struct(devices, "device info");
    const std::uint32_t size = info.struct_size;
    info = {};
    info.struct_size = size;
    info.kind = DS4_DEVICE_KIND_CPU;
    sdk::copy_text(info.name, "the processor, in plain loops");
    sdk::copy_text(info.architecture, "any");
    std::memcpy(info.unique_id, "example-plain-cp", sizeof info.unique_id);
    info.capabilities = DS4_CAP_DETERMINISTIC | DS4_CAP_ROW_INVARIANT | DS4_CAP_UNLOAD_SAFE;
    info.score = DS4_SCORE_REFERENCE;  // correct, not fast
    info.memory_kinds = 1;
    info.memory[0] = {DS4_MEMORY_HOST, 1, 1, kAlignment, 0};
  });
}

const char* device_reason(std::uint32_t index) {
  return index == 0 ? "" : "there is one device, with index 0";
}

const void* get_extension(const char*, std::uint32_t) {
  return nullptr;
}

// ---- device -------------------------------------------------------------------------------------

ds4_status device_open(std::uint32_t index, const ds4_device_options* options, ds4_device** out,
                       ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device*& result = sdk::need(out, "out");
    const ds4_device_options& wanted = sdk::need_struct(options, "device options");
    sdk::check_host(wanted.host);
    if (index != 0) throw sdk::failure(DS4_E_INVALID_ARGUMENT, "there is no device ", index);
    constexpr std::uint32_t kKnown =
        DS4_DEVICE_PROFILE | DS4_DEVICE_DETERMINISTIC | DS4_DEVICE_VALIDATE;
    if ((wanted.flags & ~kKnown) != 0) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "device options: unknown flags in ", wanted.flags);
    }
    auto device = std::make_unique<ds4_device>();
    device->host = wanted.host;
    device->validates = (wanted.flags & DS4_DEVICE_VALIDATE) != 0;
    result = device.release();
  });
}

ds4_status device_close(ds4_device* device, ds4_error* err) {
  return sdk::fence(err, [&] {
    const std::uint64_t left = sdk::need(device, "device").children;
    if (left != 0) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, left, " objects of this device still live");
    }
    delete device;
  });
}

// ---- buffers ------------------------------------------------------------------------------------

ds4_status buffer_create(ds4_device* device, std::uint64_t bytes, std::uint32_t memory_kind,
                         std::uint32_t usage, ds4_buffer** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(device, "device");
    ds4_buffer*& result = sdk::need(out, "out");
    if (memory_kind != DS4_MEMORY_HOST) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "memory kind ", memory_kind, ": only HOST is here");
    }
    if (usage < DS4_USAGE_WEIGHTS || usage > DS4_USAGE_STEP) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "unknown buffer usage ", usage);
    }
    auto buffer = std::make_unique<ds4_buffer>();
    buffer->device = device;
    buffer->bytes = bytes;
    buffer->data = allocate(*device->host, bytes, "buffer");
    ++device->children;
    result = buffer.release();
  });
}

void buffer_destroy(ds4_buffer* buffer) {
  if (buffer == nullptr) return;
  release(*buffer->device->host, buffer->data);
  --buffer->device->children;
  delete buffer;
}

// The bytes [offset, offset + bytes) of a buffer; throws when they are not all inside.
std::byte* inside(const ds4_stream* stream, const ds4_buffer* buffer, std::uint64_t offset,
                  std::uint64_t bytes) {
  const ds4_buffer& b = sdk::need(buffer, "buffer");
  if (b.device != sdk::need(stream, "stream").device) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "the buffer lies on another device");
  }
  if (!sdk::fits(offset, bytes, b.bytes)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, bytes, " bytes at ", offset,
                       " go beyond a buffer of ", b.bytes, " bytes");
  }
  return b.data + offset;
}

ds4_status buffer_write(ds4_stream* stream, ds4_buffer* dst, std::uint64_t offset, const void* src,
                        std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    std::byte* to = inside(stream, dst, offset, bytes);
    if (bytes != 0) std::memcpy(to, &sdk::need(static_cast<const char*>(src), "source"), bytes);
  });
}

ds4_status buffer_read(ds4_stream* stream, const ds4_buffer* src, std::uint64_t offset, void* dst,
                       std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    const std::byte* from = inside(stream, src, offset, bytes);
    if (bytes != 0) std::memcpy(&sdk::need(static_cast<char*>(dst), "destination"), from, bytes);
  });
}

ds4_status buffer_copy(ds4_stream* stream, ds4_buffer* dst, std::uint64_t dst_offset,
                       const ds4_buffer* src, std::uint64_t src_offset, std::uint64_t bytes,
                       ds4_error* err) {
  return sdk::fence(err, [&] {
    std::byte* to = inside(stream, dst, dst_offset, bytes);
    std::memmove(to, inside(stream, src, src_offset, bytes), bytes);
  });
}

ds4_status buffer_fill(ds4_stream* stream, ds4_buffer* dst, std::uint64_t offset,
                       std::uint64_t bytes, std::uint8_t value, ds4_error* err) {
  return sdk::fence(err, [&] { std::memset(inside(stream, dst, offset, bytes), value, bytes); });
}

// ---- streams ------------------------------------------------------------------------------------

ds4_status stream_create(ds4_device* device, ds4_stream** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(device, "device");
    sdk::need(out, "out") = new ds4_stream{device};
    ++device->children;
  });
}

void stream_destroy(ds4_stream* stream) {
  if (stream == nullptr) return;
  --stream->device->children;
  delete stream;
}

ds4_status stream_sync(ds4_stream* stream, ds4_error* err) {
  return sdk::fence(err, [&] { sdk::need(stream, "stream"); });
}

// ---- the table ----------------------------------------------------------------------------------

constexpr ds4_backend_api make_table() {
  ds4_backend_api api = sdk::make_api();
  api.describe = describe;
  api.enumerate = enumerate;
  api.device_reason = device_reason;
  api.device_open = device_open;
  api.device_close = device_close;
  api.buffer_create = buffer_create;
  api.buffer_destroy = buffer_destroy;
  api.buffer_write = buffer_write;
  api.buffer_read = buffer_read;
  api.buffer_copy = buffer_copy;
  api.buffer_fill = buffer_fill;
  api.stream_create = stream_create;
  api.stream_destroy = stream_destroy;
  api.stream_sync = stream_sync;
  api.weight_query = weight_query;
  api.weight_import_begin = weight_import_begin;
  api.weight_import_write = weight_import_write;
  api.weight_import_finish = weight_import_finish;
  api.weight_import_abort = weight_import_abort;
  api.weight_destroy = weight_destroy;
  api.op_support = op_support;
  api.workspace_size = workspace_size;
  api.enqueue = enqueue;
  api.get_extension = get_extension;
  return api;
}

constexpr ds4_backend_api kTable = make_table();

}  // namespace
}  // namespace example

extern "C" DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host,
                                                const ds4_backend_api** out, ds4_error* err) {
  return ds4::sdk::fence(err, [&] {
    ds4::sdk::check_host(host);
    ds4::sdk::need(out, "table pointer") = &example::kTable;
  });
}
