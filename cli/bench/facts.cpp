#include "bench/facts.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>

#include "common/progress.hpp"
#include "common/runtime.hpp"
#include "common/version.hpp"
#include "format/dtype.hpp"
#include "model/synthetic.hpp"

namespace ds4::bench {
namespace {

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32] = {};
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

std::string types_of(const ModelFile& model) {
  std::map<std::string, std::uint64_t> bytes;
  std::uint64_t total = 0;
  for (const TensorInfo& tensor : model.gguf().tensors()) {
    bytes[std::string(dtype_name(tensor.dtype))] += tensor.bytes;
    total += tensor.bytes;
  }
  std::vector<std::pair<std::uint64_t, std::string>> sorted;
  for (const auto& [name, count] : bytes) sorted.emplace_back(count, name);
  std::sort(sorted.rbegin(), sorted.rend());
  std::string text;
  for (const auto& [count, name] : sorted) {
    const double share = 100.0 * static_cast<double>(count) / static_cast<double>(total);
    text.append(text.empty() ? "" : ", ").append(name).append(" ");
    text.append(cli::decimals(share, 1)).append(" %");
  }
  return text;
}

void add_rows(cli::JsonWriter& json, const std::vector<BenchRow>& rows) {
  json.begin_array();
  for (const BenchRow& row : rows) {
    json.line_break().begin_object();
    row_members(json, row);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

RunFacts model_facts(const ModelFile& model) {
  RunFacts facts;
  facts.program = cli::version_line("ds4-bench");
  facts.started = utc_now();
  facts.model = model.gguf().name();
  facts.model_bytes = model.gguf().file_bytes();
  facts.types = types_of(model);
  facts.is_synthetic = is_synthetic_name(facts.model);
  facts.processor = processor_name();
  return facts;
}

RunFacts facts_of(const Engine& engine) {
  RunFacts facts = model_facts(engine.model());
  facts.backend = cli::devices_text(engine.devices());
  for (const auto& device : engine.devices().devices) {
    facts.device.append(facts.device.empty() ? "" : " and ").append(device->info().name);
  }
  facts.prefill_chunk = engine.options().prefill_rows;
  facts.context = engine.options().context;
  return facts;
}

void facts_members(cli::JsonWriter& json, const RunFacts& facts) {
  json.key("program").string(facts.program);
  json.key("started").string(facts.started);
  json.key("model").string(facts.model);
  json.key("model_bytes").unsigned_integer(facts.model_bytes);
  json.key("tensor_types").string(facts.types);
  json.key("weights").string(facts.is_synthetic ? "synthetic" : "as in the file");
  json.key("backend").string(facts.backend);
  json.key("device").string(facts.device);
  json.key("processor").string(facts.processor);
  json.key("threads").unsigned_integer(facts.threads);
  if (!facts.prompt.empty()) {
    json.key("prefill_chunk").unsigned_integer(facts.prefill_chunk);
    json.key("context").unsigned_integer(facts.context);
    json.key("prompt").string(facts.prompt);
  }
  json.key("probe_bytes").unsigned_integer(facts.probe.bytes);
  json.key("probe_passes").unsigned_integer(facts.probe.passes);
  json.key("probe_gbps").number(facts.probe.bytes_per_second / 1e9);
  json.key("probe_gbps_by_processor_time").number(facts.probe.processor_bytes_per_second / 1e9);
  json.key("arguments").begin_array();
  for (const std::string& argument : facts.arguments) json.string(argument);
  json.end_array();
}

std::string facts_json(const RunFacts& facts) {
  cli::JsonWriter json;
  json.begin_object();
  facts_members(json, facts);
  json.end_object();
  return json.take() + "\n";
}

std::string results_json(const RunFacts& facts, const std::vector<BenchRow>& rows) {
  cli::JsonWriter json;
  json.begin_object();
  facts_members(json, facts);
  json.key("rows");
  add_rows(json, rows);
  json.key("medians");
  add_rows(json, medians(rows));
  json.end_object();
  return json.take() + "\n";
}

}  // namespace ds4::bench
