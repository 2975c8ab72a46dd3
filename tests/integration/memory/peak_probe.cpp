/// Opens an engine, drives it, and prints "plan BYTES peak BYTES": what was planned and the most
/// memory that was resident (VmHWM). A process of its own, since that mark never goes down.
///
/// usage: memory-peak-probe MODEL KEY=VALUE...
/// Keys: ctx sessions decode prefill logits threads tokens (of each session), compose, f32 (rows as
/// floats), recorded (selections), copied (weights, none used where it is mapped) as 0 or 1; cache,
/// the KiB of an expert cache.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/runtime.hpp"

namespace ds4 {
namespace {

std::uint64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

struct Settings {
  std::map<std::string, std::uint32_t> values;
  [[nodiscard]] std::uint32_t of(const std::string& key, std::uint32_t fallback) const {
    const auto at = values.find(key);
    return at == values.end() ? fallback : at->second;
  }
};

/// Prefills every session in chunks, then decodes all of them together for some steps.
void drive(Engine& engine, std::uint32_t tokens) {
  const EngineOptions& options = engine.options();
  std::vector<SessionId> sessions;
  for (std::uint32_t s = 0; s < options.sessions; ++s) {
    sessions.push_back(test::must(engine.create_session()));
    const auto ids = test::random_tokens(s + 1, tokens, engine.config().vocab);
    std::vector<StepRow> rows;
    for (std::size_t at = 0; at < ids.size(); at += rows.size()) {
      rows.clear();
      const std::size_t end = std::min<std::size_t>(ids.size(), at + options.prefill_rows);
      for (std::size_t i = at; i < end; ++i) {
        rows.push_back({sessions.back(), ids[i], end - i <= options.logits_rows});
      }
      (void)test::must(
          engine.step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
    }
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    std::vector<StepRow> rows;
    for (const SessionId session : sessions) {
      if (rows.size() < std::min(options.decode_rows, options.logits_rows)) {
        rows.push_back({session, static_cast<std::int32_t>(i), true});
      }
    }
    (void)test::must(
        engine.step({.decode = rows, .prefill = {}, .read_logits = true, .forced = {}}));
  }
}

const ds4_backend_api* original = nullptr;

ds4_status query_copied(ds4_device* device, const ds4_weight_desc* desc, ds4_weight_answer* out,
                        ds4_error* error) {
  const ds4_status status = original->weight_query(device, desc, out, error);
  out->in_place = 0;
  out->packed_bytes = desc->bytes;
  return status;
}

std::shared_ptr<plugins::Device> copying_device() {
  return test::open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.weight_query = query_copied;
  });
}

int run(int argc, char** argv) {
  if (argc < 2) return 2;
  Settings settings;
  for (int i = 2; i < argc; ++i) {
    const std::string text = argv[i];
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return 2;
    settings.values[text.substr(0, equals)] =
        static_cast<std::uint32_t>(std::stoul(text.substr(equals + 1)));
  }
  EngineOptions options;
  options.context = settings.of("ctx", 1024);
  options.sessions = settings.of("sessions", 1);
  options.decode_rows = settings.of("decode", 1);
  options.prefill_rows = settings.of("prefill", 64);
  options.logits_rows = settings.of("logits", 1);
  options.roundings.row_storage = settings.of("f32", 0) == 0;
  if (settings.of("recorded", 0) != 0) options.selections = Selections::recorded;
  if (const std::uint64_t cache = settings.of("cache", 0); cache != 0) {
    options.experts = {ExpertCacheOptions::Mode::fixed, cache << 10};
  }
  const char* const compose = settings.of("compose", 0) != 0 ? "on" : "off";
  ModelFile model = test::must(ModelFile::open(argv[1]));
  // "devices" of them, each with a run of the layers.
  EngineDevices on;
  on.placement = Placement::single(model.config().layers);
  const std::uint32_t devices = settings.of("devices", 1);
  for (std::uint32_t d = 0; d < devices; ++d) {
    on.devices.push_back(settings.of("copied", 0) != 0
                             ? copying_device()
                             : test::open_device("cpu-reference", settings.of("threads", 1),
                                                 {{"cpu-reference.compose", compose}}));
  }
  for (std::uint32_t layer = 0; layer < model.config().layers; ++layer) {
    on.placement.layers[layer] = layer * devices / model.config().layers;
  }
  on.placement.head = devices - 1;
  const auto engine = test::must(Engine::open(std::move(model), std::move(on), options));
  drive(*engine, settings.of("tokens", 100));
  std::cout << "plan " << engine->memory_plan().host_bytes() << " peak " << peak_bytes() << "\n";
  return 0;
}

}  // namespace
}  // namespace ds4

int main(int argc, char** argv) {
  try {
    return ds4::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "memory-peak-probe: " << error.what() << "\n";
    return 1;
  }
}
