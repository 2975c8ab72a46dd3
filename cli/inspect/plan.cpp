#include "inspect/plan.hpp"

#include <array>
#include <sstream>
#include <vector>

#include "common/plan_report.hpp"
#include "common/progress.hpp"
#include "common/runtime.hpp"
#include "kv/kv_layout.hpp"
#include "kv/rows_read.hpp"
#include "model/traffic.hpp"

namespace ds4::inspect {
namespace {

constexpr std::array<std::uint32_t, 3> kContexts = {32768, 100000, 1048576};

/// What a session of one context takes, and what its last token reads of it.
struct KvSize {
  std::uint32_t context = 0;
  std::uint64_t rings = 0;
  std::uint64_t pages = 0;
  std::uint64_t read = 0;  ///< bytes of rows that decoding a token at the end reads
};

Result<std::vector<KvSize>> kv_sizes(const ModelConfig& config, const Roundings& roundings) {
  std::vector<KvSize> sizes;
  for (const std::uint32_t context : kContexts) {
    DS4_TRY(const KvLayout layout, KvLayout::make(config, roundings, {1, context, 100}));
    KvSize size;
    size.context = context;
    size.rings = layout.ring_bytes();
    for (std::size_t c = 0; c < layout.classes.size(); ++c) size.pages += layout.pool_bytes(c);
    size.read = rows_read_bytes(config, roundings, context);
    sizes.push_back(size);
  }
  return sizes;
}

std::string columns(const std::string& name, std::uint64_t bytes, const std::string& note) {
  const std::string number = std::to_string(bytes);
  std::string line = name;
  line.append(line.size() < 32 ? 32 - line.size() : 0, ' ');
  line.append(number.size() < 17 ? 17 - number.size() : 0, ' ').append(number);
  return line + "  " + note + "\n";
}

std::string mb(std::uint64_t bytes) {
  return cli::decimals(static_cast<double>(bytes) / 1e6, 1) + " MB";
}

std::string text_of(const ModelFile& model, const cli::PlanReport& report,
                    const std::vector<KvSize>& sizes, const std::vector<TrafficRow>& traffic) {
  std::uint64_t tensor_bytes = 0;
  for (const TensorInfo& tensor : model.gguf().tensors()) tensor_bytes += tensor.bytes;
  std::ostringstream out;
  out << model.gguf().name() << ": " << model.gguf().tensors().size() << " tensors, "
      << tensor_bytes << " bytes of tensors, " << model.gguf().file_bytes()
      << " bytes in the file\n\n"
      << cli::plan_text(report) << "\nKV of a session, and what a token at its end reads of it\n";
  for (const KvSize& size : sizes) {
    out << columns(
        std::to_string(size.context) + " tokens", size.rings + size.pages,
        "rings " + mb(size.rings) + ", pages " + mb(size.pages) + ", read " + mb(size.read));
  }
  out << "\nweights read per decoded token\n";
  std::uint64_t total = 0;
  for (const TrafficRow& row : traffic) {
    out << columns(std::string(row.component), row.bytes,
                   mb(row.bytes) + (row.layers > 1 ? ", " + std::to_string(row.layers) + " layers"
                                                   : std::string()));
    total += row.bytes;
  }
  out << columns("total", total, mb(total));
  return out.str();
}

std::string json_of(const ModelFile& model, const cli::PlanReport& report,
                    const std::vector<KvSize>& sizes, const std::vector<TrafficRow>& traffic) {
  std::uint64_t tensor_bytes = 0;
  for (const TensorInfo& tensor : model.gguf().tensors()) tensor_bytes += tensor.bytes;
  cli::JsonWriter json;
  json.begin_object();
  json.key("file").string(model.gguf().name());
  json.key("file_bytes").unsigned_integer(model.gguf().file_bytes());
  json.key("tensor_count").unsigned_integer(model.gguf().tensors().size());
  json.key("tensor_bytes").unsigned_integer(tensor_bytes);
  json.key("plan").begin_object();
  cli::plan_members(json, report);
  json.end_object();
  json.key("kv").begin_array();
  for (const KvSize& size : sizes) {
    json.begin_object();
    json.key("context").unsigned_integer(size.context);
    json.key("rings").unsigned_integer(size.rings);
    json.key("pages").unsigned_integer(size.pages);
    json.key("read_per_token").unsigned_integer(size.read);
    json.end_object();
  }
  json.end_array();
  json.key("traffic").begin_array();
  for (const TrafficRow& row : traffic) {
    json.line_break().begin_object();
    json.key("component").string(row.component);
    json.key("layers").unsigned_integer(row.layers);
    json.key("bytes").unsigned_integer(row.bytes);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace

Result<std::string> plan_model(const ModelFile& model, const InspectOptions& options,
                               const EngineDevices& devices) {
  EngineOptions engine = cli::engine_options(options.runtime, {});
  engine.sessions = options.sessions;
  const MemoryPlanInputs inputs = MemoryPlanInputs::of(engine);
  auto planner = devices.devices.empty()
                     ? MemoryPlanner::make(model, inputs, PlanQuestions{})
                     : MemoryPlanner::make(model, inputs, PlacedQuestions::of(devices));
  if (!planner) return planner.error();
  DS4_TRY(const cli::PlanReport report,
          cli::PlanReport::make(*planner, memory_limits(devices.devices)));
  DS4_TRY(const std::vector<KvSize> sizes, kv_sizes(model.config(), engine.roundings));
  const std::vector<TrafficRow> traffic = decode_traffic(model);
  return options.prints_json ? json_of(model, report, sizes, traffic)
                             : text_of(model, report, sizes, traffic);
}

}  // namespace ds4::inspect
