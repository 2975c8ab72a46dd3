#include "wrap/backend.hpp"

#include <cstddef>
#include <cstring>
#include <utility>

#include "wrap/device.hpp"
#include "wrap/fp_control.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {
namespace {

constexpr std::uint32_t kMostDevices = 256;

struct RequiredField {
  const char* name;
  std::size_t offset;
};

#define DS4_REQUIRED(field)                  \
  RequiredField {                            \
#field, offsetof(ds4_backend_api, field) \
  }

/// The functions that backend.h marks with R.
constexpr RequiredField kRequired[] = {DS4_REQUIRED(describe),
                                       DS4_REQUIRED(enumerate),
                                       DS4_REQUIRED(device_reason),
                                       DS4_REQUIRED(device_open),
                                       DS4_REQUIRED(device_close),
                                       DS4_REQUIRED(buffer_create),
                                       DS4_REQUIRED(buffer_destroy),
                                       DS4_REQUIRED(buffer_write),
                                       DS4_REQUIRED(buffer_read),
                                       DS4_REQUIRED(buffer_copy),
                                       DS4_REQUIRED(buffer_fill),
                                       DS4_REQUIRED(stream_create),
                                       DS4_REQUIRED(stream_destroy),
                                       DS4_REQUIRED(stream_sync),
                                       DS4_REQUIRED(weight_query),
                                       DS4_REQUIRED(weight_import_begin),
                                       DS4_REQUIRED(weight_import_write),
                                       DS4_REQUIRED(weight_import_finish),
                                       DS4_REQUIRED(weight_import_abort),
                                       DS4_REQUIRED(weight_destroy),
                                       DS4_REQUIRED(op_support),
                                       DS4_REQUIRED(workspace_size),
                                       DS4_REQUIRED(enqueue),
                                       DS4_REQUIRED(get_extension)};

#undef DS4_REQUIRED

/// Every optional field lies before the last required one, so a table of our minor is whole.
constexpr std::size_t kLeastTable = DS4_FIELD_END(ds4_backend_api, get_extension);

std::string text_or_empty(const char* text) {
  return text != nullptr ? std::string(text) : "";
}

bool is_null_function(const ds4_backend_api& table, std::size_t offset) {
  void* bits = nullptr;
  std::memcpy(&bits, reinterpret_cast<const std::byte*>(&table) + offset, sizeof bits);
  return bits == nullptr;
}

/// Text fields come from elsewhere: the last byte is made a NUL.
void terminate_texts(ds4_device_info& info) {
  info.name[sizeof info.name - 1] = '\0';
  info.architecture[sizeof info.architecture - 1] = '\0';
  info.pci_address[sizeof info.pci_address - 1] = '\0';
  info.reason[sizeof info.reason - 1] = '\0';
  if (info.memory_kinds > 4) info.memory_kinds = 4;
}

/// Two devices with one id would be taken for the same silicon. All zero means that there is none.
Result<void> check_ids(const std::vector<ds4_device_info>& infos, std::string_view name) {
  constexpr std::uint8_t kNone[sizeof ds4_device_info{}.unique_id] = {};
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (std::memcmp(infos[i].unique_id, kNone, sizeof kNone) == 0) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (std::memcmp(infos[i].unique_id, infos[j].unique_id, sizeof kNone) != 0) continue;
      return fail(Errc::internal, name, ": devices ", j, " and ", i,
                  " have the same unique_id; report this to the backend's author");
    }
  }
  return {};
}

}  // namespace

Result<const ds4_backend_api*> call_entry(const PluginLibrary& library, HostApi& host,
                                          const ds4_host_api* table, std::string_view name) {
  if (library.entry() == nullptr) {
    return fail(Errc::unsupported, library.path().string(), ": does not export ",
                DS4_BACKEND_ENTRY_NAME);
  }
  const ds4_backend_api* out = nullptr;
  ds4_error record = make_error_slot();
  ds4_status status = DS4_OK;
  {
    const FpGuard guard(host.log(), name, "its entry");
    status = library.entry()(table, &out, &record);
  }
  DS4_CHECK(to_result(status, record, name, DS4_BACKEND_ENTRY_NAME));
  if (out == nullptr) {
    return fail(Errc::internal, name,
                ": " DS4_BACKEND_ENTRY_NAME
                ": returned success without a table; report this to the backend's author");
  }
  return out;
}

Result<void> check_table(const ds4_backend_api& table) {
  if (table.struct_size < kLeastTable) {
    return fail(Errc::bad_file, "its table has ", table.struct_size, " bytes, at least ",
                kLeastTable, " are needed; rebuild the backend with this SDK");
  }
  if (table.abi_major != DS4_ABI_MAJOR || table.abi_minor != DS4_ABI_MINOR) {
    return fail(Errc::bad_file, "its table speaks ABI ", table.abi_major, ".", table.abi_minor,
                ", this runtime ", DS4_ABI_MAJOR, ".", DS4_ABI_MINOR,
                "; rebuild the backend with this SDK");
  }
  for (const RequiredField& field : kRequired) {
    if (is_null_function(table, field.offset)) {
      return fail(Errc::bad_file, "its table lacks the required function ", field.name,
                  "; report this to the backend's author");
    }
  }
  const bool events[] = {table.event_create == nullptr,    table.event_destroy == nullptr,
                         table.event_record == nullptr,    table.event_query == nullptr,
                         table.event_wait_host == nullptr, table.event_wait_stream == nullptr};
  for (const bool missing : events) {
    if (missing != events[0]) {
      return fail(Errc::bad_file,
                  "its table has some of the event functions but not all; report this to the "
                  "backend's author");
    }
  }
  return {};
}

Backend::Backend(std::shared_ptr<PluginLibrary> library, std::shared_ptr<HostApi> host,
                 const ds4_backend_api* table)
    : library_(std::move(library)), host_(std::move(host)), table_(table) {}

Result<std::shared_ptr<Backend>> Backend::make(std::shared_ptr<PluginLibrary> library,
                                               std::shared_ptr<HostApi> host,
                                               const ds4_backend_api* table) {
  std::shared_ptr<Backend> made(new Backend(std::move(library), std::move(host), table));
  ds4_backend_info info{};
  info.struct_size = sizeof info;
  ds4_error record = make_error_slot();
  DS4_CHECK(to_result(table->describe(&info, &record), record,
                      made->library_->path().filename().string(), "describe"));
  made->info_.kind = info.kind;
  made->info_.name = text_or_empty(info.name);
  made->info_.version = text_or_empty(info.version);
  made->info_.vendor = text_or_empty(info.vendor);
  made->info_.build = text_or_empty(info.build);
  made->info_.licence = text_or_empty(info.licence);
  return made;
}

Result<std::vector<DeviceEntry>> Backend::devices() const {
  ds4_error record = make_error_slot();
  std::uint32_t count = 0;
  const FpGuard guard(host_->log(), name(), "enumerate");
  DS4_CHECK(to_result(table_->enumerate(nullptr, 0, &count, &record), record, name(), "enumerate"));
  if (count > kMostDevices) {
    return fail(Errc::internal, name(), ": enumerate: ", count, " devices, at most ", kMostDevices,
                " are possible");
  }
  std::vector<ds4_device_info> infos(count);
  for (ds4_device_info& info : infos) info.struct_size = sizeof info;
  std::uint32_t again = 0;
  DS4_CHECK(to_result(table_->enumerate(infos.data(), count, &again, &record), record, name(),
                      "enumerate"));
  if (again != count) {
    return fail(Errc::internal, name(), ": enumerate: ", count, " devices, then ", again,
                ": the count must not change between two calls");
  }
  DS4_CHECK(check_ids(infos, name()));
  std::vector<DeviceEntry> out(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    out[i].info = infos[i];
    terminate_texts(out[i].info);
    out[i].reason = out[i].info.reason;
    if (out[i].info.score != DS4_SCORE_CANNOT_RUN) continue;
    if (out[i].reason.empty()) out[i].reason = device_reason(i);
    if (out[i].reason.empty()) {
      return fail(Errc::internal, name(), ": device ", i,
                  " has score 0 without a reason; report this to the backend's author");
    }
  }
  return out;
}

std::string Backend::device_reason(std::uint32_t index) const {
  return text_or_empty(table_->device_reason(index));
}

Result<std::shared_ptr<Device>> Backend::open_device(std::uint32_t index, std::uint32_t flags) {
  DS4_TRY(const std::vector<DeviceEntry> found, devices());
  if (index >= found.size()) {
    return fail(Errc::not_found, name(), ": device ", index, ": there are ", found.size(),
                " devices, numbered from 0");
  }
  ds4_device_options options{};
  options.struct_size = sizeof options;
  options.flags = flags;
  options.host = host_->table(name());
  ds4_device* device = nullptr;
  ds4_error record = make_error_slot();
  ds4_status status = DS4_OK;
  {
    const FpGuard guard(host_->log(), name(), "device_open");
    status = table_->device_open(index, &options, &device, &record);
  }
  DS4_CHECK(to_result(status, record, name(), "device_open"));
  if (device == nullptr) {
    return fail(Errc::internal, name(),
                ": device_open: success without a device; report this to the backend's author");
  }
  return std::make_shared<Device>(shared_from_this(), index, found[index].info, device);
}

}  // namespace ds4::plugins
