#include "validate/model_check.hpp"

#include <algorithm>
#include <chrono>

#include "common/progress.hpp"
#include "model/tensors.hpp"
#include "ops/op_table.hpp"
#include "validate/layer_check.hpp"
#include "validate/model_ends.hpp"
#include "validate/process.hpp"
#include "validate/report.hpp"

namespace ds4::validate {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kReference = "cpu-reference";

/// What is tried, and how far it is.
class ModelCheck {
 public:
  ModelCheck(const cli::Console& console, const Settings& settings, const ModelFile& model,
             Sides sides, Report& report)
      : console_(console), settings_(settings), model_(model), sides_(sides), report_(report) {}

  Result<void> run() {
    const ModelConfig& config = model_.config();
    const std::vector<std::int32_t> tokens = drawn_tokens(settings_, config);
    report_.begin_stage("model", "every layer of " + model_.gguf().name() + " with " +
                                     std::to_string(settings_.tokens) +
                                     " tokens, from the reference's input to each op");
    Row row;
    DS4_TRY(std::vector<float> x, check_embedding(model_, sides_, tokens, row));
    add(std::move(row), "embedding");
    for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
      progress(layer, config.layers);
      row = {};
      auto next = check_layer(model_, sides_, settings_, layer, tokens, x, row);
      if (!next) return next.error().in("layer ", layer);
      x = *std::move(next);
      row.dtype = kind_word(config.kind(layer));
      add(std::move(row),
          "layer " + std::to_string(layer) + (config.is_hash_routed(layer) ? " hashed" : ""));
    }
    row = {};
    DS4_CHECK(check_head(model_, sides_, settings_, x, row));
    add(std::move(row), "head");
    return {};
  }

 private:
  static std::string kind_word(LayerKind kind) {
    if (kind == LayerKind::window) return "window";
    return kind == LayerKind::sparse ? "sparse" : "full";
  }

  void add(Row row, std::string subject) {
    row.stage = "model";
    row.subject = std::move(subject);
    if (row.state == State::fail) {
      row.reproduce = "--model " + model_.gguf().name() + " --tokens " +
                      std::to_string(settings_.tokens) + " --seed " +
                      std::to_string(settings_.seed);
    }
    report_.add(std::move(row));
  }

  void progress(std::uint32_t layer, std::uint32_t layers) {
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::seconds(5)) return;
    shown_ = now;
    console_.note("checking layer " + std::to_string(layer) + " of " + std::to_string(layers));
  }

  const cli::Console& console_;
  const Settings& settings_;
  const ModelFile& model_;
  Sides sides_;
  Report& report_;
  Clock::time_point shown_ = Clock::now();
};

}  // namespace

cli::ExitCode check_model(const cli::Console& console, const Settings& settings,
                          const cli::Runtime& runtime, const plugins::Selected& selected) {
  const auto begin = Clock::now();
  const auto model = cli::open_model(settings.runtime.model);
  if (!model) {
    console.error(model.error().what);
    return cli::kFailure;
  }
  const auto reference = runtime.registry().select(kReference);
  if (!reference) {
    console.error("the reference backend, by which others are judged, cannot be used: " +
                  reference.error().what);
    return cli::kBackendUnusable;
  }
  auto judged = selected.open();
  auto judge = reference->open();
  if (!judged || !judge) {
    console.error((judged ? judge.error() : judged.error()).what);
    return cli::kBackendUnusable;
  }
  if (selected.backend->name() == kReference) {
    console.note("the backend is the reference itself: this tests the file and the check alone");
  }
  Report report(console, settings);
  ModelCheck check(console, settings, *model, {*judged, *judge}, report);
  if (const Result<void> done = check.run(); !done) {
    console.error(done.error().what);
    return cli::exit_code(done.error().code);
  }
  constexpr std::uint64_t kMiB = 1 << 20;
  (void)console.write("\npeak resident memory: " + std::to_string(peak_resident_bytes() / kMiB) +
                      " MiB\n");
  const std::string title = selected.backend->name() + " on " + selected.info.name;
  const std::chrono::duration<double> taken = Clock::now() - begin;
  report.verdict(title, taken.count());
  if (const Result<void> written = report.write_json(title); !written) {
    console.error(written.error().what);
    return cli::kFailure;
  }
  return report.ok() ? cli::kSuccess : cli::kFailure;
}

}  // namespace ds4::validate
