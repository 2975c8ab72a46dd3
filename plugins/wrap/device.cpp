#include "wrap/device.hpp"

#include <utility>

#include "wrap/fp_control.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {
namespace {

constexpr char kGraphExtension[] = "ds4.graph";
constexpr std::uint32_t kGraphVersion = 1;

const ds4_graph_api* find_graph_api(const ds4_backend_api& api, bool promised) {
  if (!promised) return nullptr;
  const auto* graph =
      static_cast<const ds4_graph_api*>(api.get_extension(kGraphExtension, kGraphVersion));
  if (graph == nullptr) return nullptr;
  const bool whole = DS4_HAS(ds4_graph_api, graph, graph_supported) &&
                     DS4_HAS(ds4_graph_api, graph, graph_capture) &&
                     DS4_HAS(ds4_graph_api, graph, graph_launch) &&
                     DS4_HAS(ds4_graph_api, graph, graph_destroy);
  return whole ? graph : nullptr;
}

/// A backend that reports success and gives nothing would be found out at the next use, by a crash.
Error no_object(const Device& device, std::string_view function) {
  return fail(Errc::internal, device.backend().name(), ": ", function,
              ": success without an object; report this to the backend's author");
}

Error lacks(const Device& device, std::string_view what) {
  return fail(Errc::unsupported, device.backend().name(), ": device ", device.index(),
              " does not offer ", what);
}

}  // namespace

Device::Device(std::shared_ptr<Backend> backend, std::uint32_t index, ds4_device_info info,
               ds4_device* device) noexcept
    : backend_(std::move(backend)),
      index_(index),
      info_(info),
      device_(device),
      graph_(find_graph_api(backend_->api(), has(DS4_CAP_GRAPH))) {}

Device::~Device() {
  ds4_error record = make_error_slot();
  const ds4_status status = api().device_close(device_, &record);
  const LogSink& log = backend_->host().log();
  if (status == DS4_OK || !log) return;
  try {
    log(LogLevel::error, backend_->name(),
        translate(status, record, backend_->name(), "device_close").what);
  } catch (...) {
    // Without memory for the message there is nobody left to tell.
  }
}

const ds4_memory_kind* Device::memory_kind(std::uint32_t kind) const noexcept {
  for (std::uint32_t i = 0; i < info_.memory_kinds; ++i) {
    if (info_.memory[i].kind == kind) return &info_.memory[i];
  }
  return nullptr;
}

Result<void> Device::outcome(ds4_status status, const ds4_error& record,
                             std::string_view function) const {
  if (status == DS4_OK) return {};
  return translate(status, record, backend_->name() + ":" + std::to_string(index_), function);
}

Result<Buffer> Device::create_buffer(std::uint64_t bytes, std::uint32_t memory_kind,
                                     std::uint32_t usage) {
  ds4_buffer* buffer = nullptr;
  ds4_error record = make_error_slot();
  const ds4_status status =
      api().buffer_create(device_, bytes, memory_kind, usage, &buffer, &record);
  if (auto done = outcome(status, record, "buffer_create"); !done) {
    return done.error().in("buffer of ", bytes, " bytes");
  }
  if (buffer == nullptr) return no_object(*this, "buffer_create");
  return Buffer(shared_from_this(), buffer, bytes);
}

Result<Buffer> Device::import_host(std::span<std::byte> memory, std::uint32_t usage) {
  if (api().buffer_import_host == nullptr) return lacks(*this, "buffers on host memory");
  ds4_buffer* buffer = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(
      api().buffer_import_host(device_, memory.data(), memory.size(), usage, &buffer, &record),
      record, "buffer_import_host"));
  return Buffer(shared_from_this(), buffer, memory.size());
}

Result<Stream> Device::create_stream() {
  ds4_stream* stream = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().stream_create(device_, &stream, &record), record, "stream_create"));
  if (stream == nullptr) return no_object(*this, "stream_create");
  return Stream(shared_from_this(), stream);
}

Result<Event> Device::create_event() {
  if (api().event_create == nullptr) return lacks(*this, "events");
  ds4_event* event = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().event_create(device_, &event, &record), record, "event_create"));
  if (event == nullptr) return no_object(*this, "event_create");
  return Event(shared_from_this(), event);
}

Result<ds4_weight_answer> Device::weight_query(ds4_weight_desc desc) const {
  desc.struct_size = sizeof desc;
  ds4_weight_answer answer{};
  answer.struct_size = sizeof answer;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().weight_query(device_, &desc, &answer, &record), record, "weight_query"));
  answer.fingerprint[sizeof answer.fingerprint - 1] = '\0';
  return answer;
}

Result<WeightImport> Device::begin_import(ds4_weight_desc desc, std::uint32_t flags) {
  desc.struct_size = sizeof desc;
  ds4_import* import = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().weight_import_begin(device_, &desc, flags, &import, &record), record,
                    "weight_import_begin"));
  if (import == nullptr) return no_object(*this, "weight_import_begin");
  return WeightImport(shared_from_this(), import);
}

Result<Weight> Device::import_packed(ds4_weight_desc desc, std::span<const std::byte> packed) {
  if (api().weight_import_packed == nullptr) return lacks(*this, "import of packed weights");
  desc.struct_size = sizeof desc;
  ds4_weight* weight = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(
      api().weight_import_packed(device_, &desc, packed.data(), packed.size(), &weight, &record),
      record, "weight_import_packed"));
  return Weight(shared_from_this(), weight);
}

Result<void> Device::pack_expert(ds4_weight_desc desc, std::uint32_t expert, const void* from,
                                 void* to) const {
  if (api().weight_pack_expert == nullptr) return lacks(*this, "streamed experts");
  desc.struct_size = sizeof desc;
  ds4_error record = make_error_slot();
  return outcome(api().weight_pack_expert(&desc, expert, from, to, &record), record,
                 "weight_pack_expert");
}

Result<OpSupport> Device::op_support(const ds4_op& op) const {
  ds4_op_support answer{};
  answer.struct_size = sizeof answer;
  ds4_error record = make_error_slot();
  const ds4_status status = api().op_support(device_, &op, &answer, &record);
  if (status == DS4_E_UNSUPPORTED) {
    return OpSupport{SupportLevel::no, std::string(bounded_text(record.text))};
  }
  DS4_CHECK(outcome(status, record, "op_support"));
  if (answer.level > DS4_SUPPORT_NATIVE) {
    return fail(Errc::internal, backend_->name(), ": op_support: level ", answer.level,
                " for op id ", op.id, " is unknown");
  }
  return OpSupport{static_cast<SupportLevel>(answer.level),
                   std::string(bounded_text(answer.reason))};
}

Result<std::uint64_t> Device::workspace_size(std::span<const ds4_op* const> ops) const {
  std::uint64_t bytes = 0;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().workspace_size(device_, ops.data(),
                                         static_cast<std::uint32_t>(ops.size()), &bytes, &record),
                    record, "workspace_size"));
  return bytes;
}

bool Device::graph_supported(std::span<const ds4_op* const> ops) const noexcept {
  return graph_ != nullptr &&
         graph_->graph_supported(device_, ops.data(), static_cast<std::uint32_t>(ops.size())) != 0;
}

Result<Graph> Device::capture(const Stream& stream, ds4_submission submission) {
  if (graph_ == nullptr) return lacks(*this, "captured graphs");
  submission.struct_size = sizeof submission;
  ds4_graph* graph = nullptr;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(graph_->graph_capture(stream.handle(), &submission, &graph, &record), record,
                    "graph_capture"));
  return Graph(shared_from_this(), graph);
}

Result<ds4_stats> Device::stats() const {
  if (!DS4_HAS(ds4_backend_api, &api(), stats_read)) return lacks(*this, "statistics");
  ds4_stats stats{};
  stats.struct_size = sizeof stats;
  ds4_error record = make_error_slot();
  DS4_CHECK(outcome(api().stats_read(device_, &stats, &record), record, "stats_read"));
  return stats;
}

Result<void> Device::trim() const {
  if (!DS4_HAS(ds4_backend_api, &api(), trim)) return {};
  ds4_error record = make_error_slot();
  return outcome(api().trim(device_, &record), record, "trim");
}

}  // namespace ds4::plugins
