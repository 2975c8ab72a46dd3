#include "common/runtime.hpp"

#include <algorithm>
#include <utility>

#include "common/expert_cache.hpp"
#include "common/log_sink.hpp"
#include "common/progress.hpp"
#include "engine/memory_planner.hpp"
#include "kv/kv_layout.hpp"
#include "model/vocabulary_source.hpp"

namespace ds4::cli {
namespace {

constexpr const char* kReferenceName = "cpu-reference";

std::shared_ptr<plugins::HostApi> make_host(const RuntimeOptions& options, std::uint32_t threads,
                                            const LogSink& log) {
  plugins::HostOptions host;
  host.team = std::make_shared<ThreadTeam>(threads);
  host.log = log;
  host.log_level = options.log_level;
  host.options = options.backend_options;
  host.lends_experts = true;
  return std::make_shared<plugins::HostApi>(std::move(host));
}

}  // namespace

Runtime::Runtime(const Console& console, const RuntimeOptions& options,
                 const Environment& environment)
    : console_(console),
      log_(stderr_log(options.log_level, console.colors_stderr())),
      threads_(thread_count(options)),
      options_of_backends_(options.backend_options),
      host_(make_host(options, threads_, log_)),
      registry_(plugins::Registry::scan(search_options(options, environment), host_)) {}

Result<EngineDevices> OpenDevices::for_layers(std::uint32_t layers) const {
  EngineDevices out;
  out.devices = devices;
  out.placement = Placement::single(layers);
  if (!request) return out;
  const auto assigned = request->for_layers(layers);
  if (!assigned) return assigned.error().in("--place ", request->text());
  out.placement.embed = of_name[assigned->embed];
  out.placement.head = of_name[assigned->head];
  for (std::uint32_t layer = 0; layer < layers; ++layer) {
    out.placement.layers[layer] = of_name[assigned->layers[layer]];
  }
  return out;
}

std::string devices_text(const EngineDevices& devices) {
  if (devices.devices.size() == 1) return device_name(*devices.devices.front());
  const Placement& placement = devices.placement;
  std::string text;
  const auto add = [&](const std::string& what, std::size_t device) {
    text.append(text.empty() ? "" : ",").append(what).append("=");
    text.append(device_name(*devices.devices[device]));
  };
  if (placement.embed != placement.layers.front()) add("embed", placement.embed);
  for (const PlacedSpan& placed : placement.spans()) {
    const PassSpan& span = placed.span;
    if (!span.has_layers()) continue;
    std::string range = std::to_string(span.first_layer);
    if (span.end_layer - span.first_layer > 1) {
      range.append("-").append(std::to_string(span.end_layer - 1));
    }
    add(range, placed.device);
  }
  if (placement.head != placement.layers.back()) add("head", placement.head);
  return text;
}

ExitCode Runtime::open_devices(const RuntimeOptions& options, OpenDevices& out) const {
  warn_of_idle_options();
  out.request = options.placement;
  const char* const option = options.placement ? "--place" : "--backend";
  std::vector<plugins::Selected> all;  // before the first is woken
  for (const std::string& request : backend_requests(options)) {
    auto selected = registry_->select(request, option);
    if (!selected) {
      explain_failure(request, selected.error());
      return selection_exit_code(selected.error().code);
    }
    all.push_back(*std::move(selected));
  }
  for (const plugins::Selected& selected : all) {
    if (const ExitCode opened = open_device(selected, out); opened != kSuccess) return opened;
  }
  return kSuccess;
}

ExitCode Runtime::open_device(const plugins::Selected& selected, OpenDevices& out) const {
  // Two names may stand for one device: `cuda` and `cuda-spark:0`.
  for (std::size_t known = 0; known < out.devices.size(); ++known) {
    const plugins::Device& device = *out.devices[known];
    if (&device.backend() != selected.backend.get() || device.index() != selected.device) {
      continue;
    }
    out.of_name.push_back(known);
    return kSuccess;
  }
  const bool is_reference = selected.backend->name() == kReferenceName;
  if (!selected.notice.empty()) {
    is_reference ? console_.loud(selected.notice) : console_.note(selected.notice);
  }
  if (is_reference) warn_of_reference(selected.notice.empty());
  auto device = selected.open();
  if (!device) return fail_to_open(selected.backend->name(), device.error());
  out.of_name.push_back(out.devices.size());
  out.devices.push_back(*std::move(device));
  return kSuccess;
}

ExitCode Runtime::open_shadow(const std::optional<ShadowRequest>& request,
                              std::shared_ptr<plugins::Device>& out) const {
  if (!request) return kSuccess;
  auto selected = registry_->select(request->backend);
  if (!selected) {
    Error error = selected.error();
    constexpr std::string_view kOption = "--backend ";  // the option whose value such names are
    if (error.what.starts_with(kOption)) error.what.replace(0, kOption.size(), "--shadow ");
    explain_failure(request->backend, error);
    return selection_exit_code(selected.error().code);
  }
  auto device = selected->open();
  if (!device) return fail_to_open(selected->backend->name(), device.error().in("--shadow"));
  out = *std::move(device);
  return kSuccess;
}

ExitCode Runtime::fail_to_open(const std::string& backend, const Error& error) const {
  console_.error(error.in("backend ", backend).what);
  return error.code == Errc::device_lost ? kDeviceLost : kBackendUnusable;
}

void Runtime::explain_failure(const std::string& request, const Error& error) const {
  console_.error(error.what);
  if (error.code == Errc::unsupported) {
    console_.write_error(registry_->listing(plugins::ListingStyle::table, request));
    console_.note("--list-backends=verbose shows where backends were looked for");
    return;
  }
  if (error.code != Errc::not_found) return;
  console_.write_error(registry_->listing_of(request));
  if (const auto other = registry_->select("auto"); other) {
    console_.note("--backend auto would take " + other->backend->name());
  }
}

void Runtime::warn_of_idle_options() const {
  for (const auto& [key, value] : options_of_backends_) {
    const std::string name = key.substr(0, key.find('.'));
    const auto candidates = registry_->candidates();
    const bool is_known = std::any_of(candidates.begin(), candidates.end(),
                                      [&name](const auto& found) { return found.name == name; });
    if (is_known) continue;
    console_.loud("--backend-option " + key + "=" + value + " has no effect: there is no backend " +
                  name + "; --list-backends shows the names");
  }
}

void Runtime::warn_of_reference(bool was_asked_for) const {
  if (was_asked_for) {
    console_.loud("cpu-reference is the correctness backend: expect minutes per token");
  }
  for (const plugins::Candidate& candidate : registry_->candidates()) {
    if (candidate.state != plugins::CandidateState::no_device &&
        candidate.state != plugins::CandidateState::refused) {
      continue;
    }
    console_.note("  not usable: " + candidate.name + ": " + candidate.refusal.text);
  }
}

Result<ModelFile> open_model(const std::string& path, ModelChecks checks) {
  auto model = ModelFile::open(path, checks);
  if (!model && model.error().code == Errc::not_found) {
    return fail(Errc::not_found, "there is no model file ", path,
                "; name one with -m FILE or DS4_MODEL, or make ", kDefaultModel, " a link to it");
  }
  return model;
}

Result<Tokenizer> open_tokenizer(const GgufFile& file, const LogSink& log, ChatTokens chat) {
  DS4_TRY(const VocabularySource source, vocabulary_source(file));
  auto tokenizer = Tokenizer::make(source, chat, log);
  if (!tokenizer) return tokenizer.error().in(file.name());
  return tokenizer;
}

EngineOptions engine_options(const RuntimeOptions& options, const LogSink& log) {
  EngineOptions engine;
  engine.context = options.context;
  engine.sessions = 1;
  engine.decode_rows = 1;
  engine.logits_rows = 1;
  engine.prefill_rows = std::min(options.prefill_chunk, options.context);
  engine.roundings = options.roundings;
  engine.experts = options.experts;
  engine.log = log;
  return engine;
}

Result<std::string> context_line(const ModelConfig& config, const EngineOptions& options,
                                 const EngineDevices& devices) {
  const KvLimits limits{options.sessions, options.context, options.pages_percent,
                        options.restore_points};
  DS4_TRY(const KvLayout layout, KvLayout::make(config, options.roundings, limits));
  std::uint64_t bytes = layout.ring_bytes() + layout.restore_bytes();
  std::string rows = "per layer " + std::to_string(layout.ring_capacity) + " window rows";
  for (std::size_t i = 0; i < layout.classes.size(); ++i) {
    bytes += layout.pool_bytes(i);
    const std::uint32_t ratio = layout.classes[i].ratio.ratio;
    rows += ", " + std::to_string(options.context / ratio) + " compressed rows of ratio " +
            std::to_string(ratio);
  }
  return "context: " + std::to_string(options.context) + " tokens, " +
         decimals(static_cast<double>(bytes) / (1024.0 * 1024.0), 2) + " MiB (" + rows + "), " +
         (devices.devices.size() == 1 ? "backend " : "placement ") + devices_text(devices) +
         ", prefill chunk " + std::to_string(options.prefill_rows);
}

Result<std::unique_ptr<Engine>> open_engine(const Console& console, ModelFile model,
                                            const OpenDevices& devices, EngineOptions options) {
  DS4_TRY(EngineDevices placed, devices.for_layers(model.config().layers));
  DS4_TRY(const std::string line, context_line(model.config(), options, placed));
  console.note(line);
  options.on_plan = [&console](const MemoryPlan& plan) {
    if (plan.experts) console.note(expert_line(plan));
  };
  LoadProgressLine progress(console);
  options.on_load = [&progress](const LoadProgress& now) { progress.update(now.done, now.total); };
  DS4_TRY(std::unique_ptr<Engine> engine,
          Engine::open(std::move(model), std::move(placed), std::move(options)));
  progress.finish();
  return engine;
}

}  // namespace ds4::cli
