/// Buffers are host memory; a stream runs everything before its call returns.
#include <memory>
#include <new>

#include "api.hpp"

namespace ds4::cpu {

std::byte* allocate(const ds4_host_api& host, std::uint64_t bytes, const char* tag) {
  const std::uint64_t size = bytes != 0 ? bytes : kAlignment;
  void* block = nullptr;
  if (DS4_HAS(ds4_host_api, &host, alloc) && DS4_HAS(ds4_host_api, &host, free)) {
    block = host.alloc(host.host_ctx, size, kAlignment, tag);
  } else {
    block = ::operator new (size, std::align_val_t{kAlignment}, std::nothrow);
  }
  if (block == nullptr) {
    throw sdk::failure(DS4_E_OUT_OF_MEMORY, "no memory for ", bytes, " bytes of ", tag);
  }
  return static_cast<std::byte*>(block);
}

void release(const ds4_host_api& host, std::byte* block) noexcept {
  if (block == nullptr) return;
  if (DS4_HAS(ds4_host_api, &host, alloc) && DS4_HAS(ds4_host_api, &host, free)) {
    host.free(host.host_ctx, block);
  } else {
    ::operator delete (block, std::align_val_t{kAlignment});
  }
}

namespace {

void check_usage(std::uint32_t usage) {
  if (usage < DS4_USAGE_WEIGHTS || usage > DS4_USAGE_STEP) {
    throw sdk::failure(DS4_E_UNSUPPORTED, "unknown buffer usage ", usage);
  }
}

/// The bytes [offset, offset + bytes) of a buffer on the stream's device.
std::byte* range_of(const ds4_stream* stream, const ds4_buffer* buffer, std::uint64_t offset,
                    std::uint64_t bytes, const char* what) {
  const ds4_stream& s = sdk::need(stream, "stream");
  const ds4_buffer& b = sdk::need(buffer, what);
  if (b.device != s.device) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, what, " lies on another device");
  }
  if (!sdk::fits(offset, bytes, b.bytes)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, what, ": ", bytes, " bytes at ", offset,
                       " go beyond a buffer of ", b.bytes, " bytes");
  }
  return b.data + offset;
}

}  // namespace

ds4_status buffer_create(ds4_device* device, std::uint64_t bytes, std::uint32_t memory_kind,
                         std::uint32_t usage, ds4_buffer** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& d = sdk::need(device, "device");
    ds4_buffer*& result = sdk::need(out, "out");
    check_usage(usage);
    if (memory_kind != DS4_MEMORY_HOST) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "memory kind ", memory_kind,
                         " is not in this device's table, use HOST (", DS4_MEMORY_HOST, ")");
    }
    auto made = std::make_unique<ds4_buffer>();
    made->device = device;
    made->bytes = bytes;
    made->usage = usage;
    made->data = allocate(*d.host, bytes, "cpu buffer");
    d.count_bytes(usage, bytes);
    ++d.children;
    result = made.release();
  });
}

ds4_status buffer_import_host(ds4_device* device, void* p, std::uint64_t bytes, std::uint32_t usage,
                              ds4_buffer** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& d = sdk::need(device, "device");
    ds4_buffer*& result = sdk::need(out, "out");
    sdk::need(static_cast<std::byte*>(p), "host memory");
    check_usage(usage);
    constexpr std::uint64_t kPage = 4096;
    if (reinterpret_cast<std::uintptr_t>(p) % kPage != 0) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "host memory is not aligned to a page of ", kPage,
                         " bytes");
    }
    auto made = std::make_unique<ds4_buffer>();
    made->device = device;
    made->data = static_cast<std::byte*>(p);
    made->bytes = bytes;
    made->usage = usage;
    made->is_owned = false;
    ++d.children;
    result = made.release();
  });
}

void buffer_destroy(ds4_buffer* buffer) {
  if (buffer == nullptr) return;
  ds4_device& device = *buffer->device;
  if (buffer->is_owned) {
    release(*device.host, buffer->data);
    device.uncount_bytes(buffer->usage, buffer->bytes);
  }
  delete buffer;
  --device.children;
}

ds4_status buffer_write(ds4_stream* stream, ds4_buffer* dst, std::uint64_t offset, const void* src,
                        std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    std::byte* to = range_of(stream, dst, offset, bytes, "destination");
    if (bytes == 0) return;
    sdk::need(static_cast<const std::byte*>(src), "source");
    std::memcpy(to, src, bytes);
  });
}

ds4_status buffer_read(ds4_stream* stream, const ds4_buffer* src, std::uint64_t offset, void* dst,
                       std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    const std::byte* from = range_of(stream, src, offset, bytes, "source");
    if (bytes == 0) return;
    sdk::need(static_cast<std::byte*>(dst), "destination");
    std::memcpy(dst, from, bytes);
  });
}

ds4_status buffer_copy(ds4_stream* stream, ds4_buffer* dst, std::uint64_t dst_offset,
                       const ds4_buffer* src, std::uint64_t src_offset, std::uint64_t bytes,
                       ds4_error* err) {
  return sdk::fence(err, [&] {
    std::byte* to = range_of(stream, dst, dst_offset, bytes, "destination");
    const std::byte* from = range_of(stream, src, src_offset, bytes, "source");
    std::memmove(to, from, bytes);
  });
}

ds4_status buffer_fill(ds4_stream* stream, ds4_buffer* dst, std::uint64_t offset,
                       std::uint64_t bytes, std::uint8_t value, ds4_error* err) {
  return sdk::fence(
      err, [&] { std::memset(range_of(stream, dst, offset, bytes, "destination"), value, bytes); });
}

ds4_status buffer_map(ds4_buffer* buffer, void** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    void*& pointer = sdk::need(out, "out");
    pointer = sdk::need(buffer, "buffer").data;
  });
}

void buffer_unmap(ds4_buffer*) {}

ds4_status stream_create(ds4_device* device, ds4_stream** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& d = sdk::need(device, "device");
    ds4_stream*& result = sdk::need(out, "out");
    result = new ds4_stream{device};
    ++d.children;
  });
}

void stream_destroy(ds4_stream* stream) {
  if (stream == nullptr) return;
  --stream->device->children;
  delete stream;
}

ds4_status stream_sync(ds4_stream* stream, ds4_error* err) {
  // Everything has finished, and its error was returned, before the call that queued it came back.
  return sdk::fence(err, [&] { sdk::need(stream, "stream"); });
}

}  // namespace ds4::cpu
