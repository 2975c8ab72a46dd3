#include "common/runtime.hpp"

#include <algorithm>
#include <utility>

#include "common/log_sink.hpp"
#include "common/progress.hpp"
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

ExitCode Runtime::open_device(const std::string& request,
                              std::shared_ptr<plugins::Device>& out) const {
  warn_of_idle_options();
  auto selected = registry_->select(request);
  if (!selected) {
    explain_failure(request, selected.error());
    return selection_exit_code(selected.error().code);
  }
  const bool is_reference = selected->backend->name() == kReferenceName;
  if (!selected->notice.empty()) {
    is_reference ? console_.loud(selected->notice) : console_.note(selected->notice);
  }
  if (is_reference) warn_of_reference(selected->notice.empty());
  auto device = selected->open();
  if (!device) {
    console_.error(device.error().in("backend ", selected->backend->name()).what);
    return device.error().code == Errc::device_lost ? kDeviceLost : kBackendUnusable;
  }
  out = *std::move(device);
  return kSuccess;
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
  engine.log = log;
  return engine;
}

Result<std::string> context_line(const ModelConfig& config, const EngineOptions& options,
                                 const std::string& backend) {
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
         decimals(static_cast<double>(bytes) / (1024.0 * 1024.0), 2) + " MiB (" + rows +
         "), backend " + backend + ", prefill chunk " + std::to_string(options.prefill_rows);
}

Result<std::unique_ptr<Engine>> open_engine(const Console& console, ModelFile model,
                                            std::shared_ptr<plugins::Device> device,
                                            EngineOptions options) {
  DS4_TRY(const std::string line, context_line(model.config(), options, device->backend().name()));
  console.note(line);
  LoadProgressLine progress(console);
  options.on_load = [&progress](const LoadProgress& now) { progress.update(now.done, now.total); };
  DS4_TRY(std::unique_ptr<Engine> engine,
          Engine::open(std::move(model), std::move(device), std::move(options)));
  progress.finish();
  return engine;
}

}  // namespace ds4::cli
