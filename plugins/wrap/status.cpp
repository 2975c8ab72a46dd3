#include "wrap/status.hpp"

#include <cstring>
#include <sstream>

namespace ds4::plugins {
namespace {

std::string_view status_name(ds4_status status) noexcept {
  switch (status) {
    case DS4_E_INVALID_ARGUMENT:
      return "invalid argument";
    case DS4_E_UNSUPPORTED:
      return "unsupported";
    case DS4_E_OUT_OF_MEMORY:
      return "out of memory";
    case DS4_E_NOT_READY:
      return "not ready";
    case DS4_E_CANCELLED:
      return "cancelled";
    case DS4_E_IO:
      return "input or output failed";
    case DS4_E_ABI:
      return "version not served";
    case DS4_E_DEVICE_LOST:
      return "device lost";
    case DS4_E_INTERNAL:
      return "internal error";
    default:
      return "status unknown to this runtime";
  }
}

}  // namespace

ds4_error make_error_slot() noexcept {
  ds4_error record;
  std::memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  return record;
}

Errc errc_of(ds4_status status) noexcept {
  switch (status) {
    case DS4_E_INVALID_ARGUMENT:
      return Errc::invalid_argument;
    case DS4_E_UNSUPPORTED:
    case DS4_E_ABI:
      return Errc::unsupported;
    case DS4_E_OUT_OF_MEMORY:
      return Errc::out_of_memory;
    case DS4_E_CANCELLED:
      return Errc::cancelled;
    case DS4_E_IO:
      return Errc::io;
    case DS4_E_DEVICE_LOST:
      return Errc::device_lost;
    default:
      return Errc::internal;
  }
}

ds4_status status_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return DS4_E_INVALID_ARGUMENT;
    case Errc::unsupported:
      return DS4_E_UNSUPPORTED;
    case Errc::out_of_memory:
      return DS4_E_OUT_OF_MEMORY;
    case Errc::cancelled:
      return DS4_E_CANCELLED;
    case Errc::not_found:
    case Errc::io:
    case Errc::bad_file:
      return DS4_E_IO;
    case Errc::device_lost:
      return DS4_E_DEVICE_LOST;
    case Errc::internal:
      break;
  }
  return DS4_E_INTERNAL;
}

Error translate(ds4_status status, const ds4_error& record, std::string_view backend,
                std::string_view function) {
  std::ostringstream text;
  text << backend << ": " << function << ": ";
  if (record.op_id != 0) {
    text << "layer " << (record.op_tag >> 16) << ", op " << (record.op_tag & 0xffffu)
         << " of the plan (id " << record.op_id << "): ";
  }
  // The record is the backend's writing: it need not be terminated, and may span lines.
  const std::string_view said = bounded_text(record.text);
  if (said.empty()) text << status_name(status) << " (status " << status << ")";
  for (const char c : said) text << (static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  if (record.native_code != 0) text << " [native code " << record.native_code << "]";
  return Error{errc_of(status), text.str()};
}

Result<void> to_result(ds4_status status, const ds4_error& record, std::string_view backend,
                       std::string_view function) {
  if (status == DS4_OK) return {};
  return translate(status, record, backend, function);
}

std::string_view bounded_text(const char* field, std::size_t capacity) noexcept {
  return {field, ::strnlen(field, capacity)};
}

}  // namespace ds4::plugins
