#include "api.hpp"
#include "personality.hpp"

namespace ds4::cpu {
namespace {

ds4_status describe(ds4_backend_info* out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_backend_info& info = sdk::need_struct(out, "backend info");
    const Personality& self = personality();
    info.kind = DS4_BACKEND_KIND_CPU;
    info.name = self.name;
    info.version = self.version;
    info.vendor = "ds4";
    info.build = self.build;
    info.licence = "not stated";
  });
}

const void* get_extension(const char*, std::uint32_t) {
  return nullptr;
}

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
  api.buffer_map = buffer_map;
  api.buffer_unmap = buffer_unmap;
  api.buffer_import_host = buffer_import_host;
  api.stream_create = stream_create;
  api.stream_destroy = stream_destroy;
  api.stream_sync = stream_sync;
  api.weight_query = weight_query;
  api.weight_import_begin = weight_import_begin;
  api.weight_import_write = weight_import_write;
  api.weight_import_finish = weight_import_finish;
  api.weight_import_abort = weight_import_abort;
  api.weight_destroy = weight_destroy;
  api.weight_pack_expert = weight_pack_expert;
  api.op_support = op_support;
  api.workspace_size = workspace_size;
  api.enqueue = enqueue;
  api.stats_read = stats_read;
  api.get_extension = get_extension;
  return api;
}

constexpr ds4_backend_api kTable = make_table();

}  // namespace

const ds4_backend_api& backend_table() noexcept {
  return kTable;
}

}  // namespace ds4::cpu
