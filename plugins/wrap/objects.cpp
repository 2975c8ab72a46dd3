#include "wrap/objects.hpp"

#include "wrap/device.hpp"
#include "wrap/fp_control.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {

void DestroyBuffer::release(Device& device, ds4_buffer* buffer) noexcept {
  device.api().buffer_destroy(buffer);
}
void DestroyStream::release(Device& device, ds4_stream* stream) noexcept {
  device.api().stream_destroy(stream);
}
void DestroyEvent::release(Device& device, ds4_event* event) noexcept {
  device.api().event_destroy(event);
}
void DestroyWeight::release(Device& device, ds4_weight* weight) noexcept {
  device.api().weight_destroy(weight);
}
void AbortImport::release(Device& device, ds4_import* import) noexcept {
  device.api().weight_import_abort(import);
}
void DestroyGraph::release(Device& device, ds4_graph* graph) noexcept {
  device.graph_api()->graph_destroy(graph);
}

Result<void*> Buffer::map() const {
  if (device()->api().buffer_map == nullptr || device()->api().buffer_unmap == nullptr) {
    return fail(Errc::unsupported, device()->backend().name(), ": buffers cannot be mapped");
  }
  void* address = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(device()->outcome(device()->api().buffer_map(handle(), &address, &record), record,
                              "buffer_map"));
  return address;
}

void Buffer::unmap() const noexcept {
  device()->api().buffer_unmap(handle());
}

Result<void> Stream::write(const Buffer& to, std::uint64_t offset,
                           std::span<const std::byte> from) const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().buffer_write(handle(), to.handle(), offset, from.data(),
                                                        from.size(), &record),
                           record, "buffer_write");
}

Result<void> Stream::read(const Buffer& from, std::uint64_t offset, std::span<std::byte> to) const {
  ds4_error record = make_error_slot();
  return device()->outcome(
      device()->api().buffer_read(handle(), from.handle(), offset, to.data(), to.size(), &record),
      record, "buffer_read");
}

Result<void> Stream::copy(const Buffer& to, std::uint64_t to_offset, const Buffer& from,
                          std::uint64_t from_offset, std::uint64_t bytes) const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().buffer_copy(handle(), to.handle(), to_offset,
                                                       from.handle(), from_offset, bytes, &record),
                           record, "buffer_copy");
}

Result<void> Stream::fill(const Buffer& to, std::uint64_t offset, std::uint64_t bytes,
                          std::uint8_t value) const {
  ds4_error record = make_error_slot();
  return device()->outcome(
      device()->api().buffer_fill(handle(), to.handle(), offset, bytes, value, &record), record,
      "buffer_fill");
}

Result<void> Stream::sync() const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().stream_sync(handle(), &record), record, "stream_sync");
}

Result<void> Stream::enqueue(ds4_submission submission) const {
  submission.struct_size = sizeof submission;
  ds4_error record = make_error_slot();
  ds4_status status = DS4_OK;
  {
    const FpGuard guard(device()->backend().host().log(), device()->backend().name(), "enqueue");
    status = device()->api().enqueue(handle(), &submission, &record);
  }
  return device()->outcome(status, record, "enqueue");
}

Result<void> Stream::wait(const Event& event) const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().event_wait_stream(event.handle(), handle(), &record),
                           record, "event_wait_stream");
}

Result<void> Event::record(const Stream& stream) const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().event_record(handle(), stream.handle(), &record), record,
                           "event_record");
}

Result<bool> Event::finished() const {
  ds4_error record = make_error_slot();
  const ds4_status status = device()->api().event_query(handle(), &record);
  if (status == DS4_E_NOT_READY) return false;
  DS4_CHECK(device()->outcome(status, record, "event_query"));
  return true;
}

Result<void> Event::wait() const {
  ds4_error record = make_error_slot();
  return device()->outcome(device()->api().event_wait_host(handle(), &record), record,
                           "event_wait_host");
}

Result<std::vector<std::byte>> Weight::export_packed() const {
  if (device()->api().weight_export_packed == nullptr) {
    return fail(Errc::unsupported, device()->backend().name(), ": packed weights cannot be read");
  }
  ds4_error record = make_error_slot();
  std::uint64_t bytes = 0;
  DS4_CHECK(
      device()->outcome(device()->api().weight_export_packed(handle(), nullptr, 0, &bytes, &record),
                        record, "weight_export_packed"));
  std::vector<std::byte> packed(bytes);
  DS4_CHECK(device()->outcome(
      device()->api().weight_export_packed(handle(), packed.data(), bytes, &bytes, &record), record,
      "weight_export_packed"));
  return packed;
}

Result<void> WeightImport::write(std::uint64_t offset, std::span<const std::byte> from) const {
  ds4_error record = make_error_slot();
  return device()->outcome(
      device()->api().weight_import_write(handle(), offset, from.data(), from.size(), &record),
      record, "weight_import_write");
}

Result<Weight> WeightImport::finish() {
  ds4_weight* weight = nullptr;
  ds4_error record = make_error_slot();
  // The handle is gone whether this succeeds or not.
  const ds4_status status = device()->api().weight_import_finish(take(), &weight, &record);
  DS4_CHECK(device()->outcome(status, record, "weight_import_finish"));
  if (weight == nullptr) {
    return fail(Errc::internal, device()->backend().name(),
                ": weight_import_finish: success without a weight; report this to the backend's "
                "author");
  }
  return Weight(device(), weight);
}

Result<void> Graph::launch(const Stream& stream) const {
  const FpGuard guard(device()->backend().host().log(), device()->backend().name(), "graph_launch");
  ds4_error record = make_error_slot();
  return device()->outcome(device()->graph_api()->graph_launch(handle(), stream.handle(), &record),
                           record, "graph_launch");
}

}  // namespace ds4::plugins
