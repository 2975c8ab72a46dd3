// A backend that can never run: it shows in listings why, and is the smallest complete table. With
// no device there are no handles, so every function that takes one can only refuse its argument.
#include <cstdint>
#include <cstring>

#include "ds4/backend.h"

DS4_BACKEND_NOTE(DS4_BACKEND_KIND_METAL, 0, "metal", "0.1.0", "ds4");

namespace {

constexpr char kReason[] = "stub: Metal is available on macOS only";

ds4_status refuse(ds4_error* err) noexcept {
  if (err != nullptr && err->struct_size >= sizeof(ds4_error)) {
    err->code = DS4_E_UNSUPPORTED;
    std::memcpy(err->text, kReason, sizeof kReason);
  }
  return DS4_E_UNSUPPORTED;
}

void keep_record(ds4_error*& record, ds4_error* argument) noexcept {
  record = argument;
}
template <class Other>
void keep_record(ds4_error*&, Other) noexcept {}

/// A table function of any signature that ends in the error record: it has nothing to work on.
template <class... Arguments>
ds4_status none(Arguments... arguments) noexcept {
  ds4_error* record = nullptr;
  (keep_record(record, arguments), ...);
  return refuse(record);
}

/// A destroy function: it can only ever be given null.
template <class Object>
void destroy(Object*) noexcept {}

ds4_status describe(ds4_backend_info* out, ds4_error* err) noexcept {
  if (out == nullptr || out->struct_size < sizeof(ds4_backend_info)) return refuse(err);
  out->kind = DS4_BACKEND_KIND_METAL;
  out->name = "metal";
  out->version = "0.1.0";
  out->vendor = "ds4";
  out->build = "stub, no device code";
  out->licence = "not stated";
  return DS4_OK;
}

ds4_status enumerate(ds4_device_info*, std::uint32_t, std::uint32_t* count,
                     ds4_error* err) noexcept {
  if (count == nullptr) return refuse(err);
  *count = 0;
  return DS4_OK;
}

const char* device_reason(std::uint32_t) noexcept {
  return kReason;
}

const void* get_extension(const char*, std::uint32_t) noexcept {
  return nullptr;
}

constexpr ds4_backend_api make_table() noexcept {
  ds4_backend_api table{};
  table.struct_size = sizeof(ds4_backend_api);
  table.abi_major = DS4_ABI_MAJOR;
  table.abi_minor = DS4_ABI_MINOR;
  table.describe = describe;
  table.enumerate = enumerate;
  table.device_reason = device_reason;
  table.device_open = none;
  table.device_close = none;
  table.buffer_create = none;
  table.buffer_destroy = destroy;
  table.buffer_write = none;
  table.buffer_read = none;
  table.buffer_copy = none;
  table.buffer_fill = none;
  table.stream_create = none;
  table.stream_destroy = destroy;
  table.stream_sync = none;
  table.weight_query = none;
  table.weight_import_begin = none;
  table.weight_import_write = none;
  table.weight_import_finish = none;
  table.weight_import_abort = destroy;
  table.weight_destroy = destroy;
  table.op_support = none;
  table.workspace_size = none;
  table.enqueue = none;
  table.get_extension = get_extension;
  return table;
}

constexpr ds4_backend_api kTable = make_table();

}  // namespace

extern "C" DS4_API ds4_status DS4_BACKEND_ENTRY(const ds4_host_api* host,
                                                const ds4_backend_api** out, ds4_error* err) {
  if (host == nullptr || out == nullptr) return refuse(err);
  *out = &kTable;
  return DS4_OK;
}
