#include "run/token_model.hpp"

#include <algorithm>
#include <utility>

namespace ds4::run {

Result<EngineModel> EngineModel::make(Engine& engine) {
  DS4_TRY(const SessionId session, engine.create_session());
  return EngineModel(engine, session);
}

EngineModel::EngineModel(EngineModel&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)), session_(other.session_) {}

EngineModel::~EngineModel() {
  if (engine_ != nullptr) engine_->close_session(session_);
}

std::uint32_t EngineModel::context() const {
  return engine_->options().context;
}

std::uint32_t EngineModel::vocab() const {
  return engine_->config().vocab;
}

Result<SyncReport> EngineModel::prefill(std::span<const std::int32_t> tokens,
                                        const PrefillProgress& progress,
                                        const std::function<bool()>& cancelled) {
  return sync(*engine_, session_, tokens, progress, cancelled);
}

Result<std::span<const float>> EngineModel::evaluate(std::int32_t token) {
  return ds4::evaluate(*engine_, session_, token);
}

Result<void> EngineModel::evaluate_rows(
    std::span<const std::int32_t> tokens,
    const std::function<void(std::size_t, std::span<const float>)>& take) {
  const EngineOptions& options = engine_->options();
  const std::size_t most = std::min(options.logits_rows, options.prefill_rows);
  std::vector<StepRow> rows;
  for (std::size_t at = 0; at < tokens.size(); at += rows.size()) {
    rows.clear();
    const std::size_t end = std::min(tokens.size(), at + most);
    for (std::size_t i = at; i < end; ++i) rows.push_back({session_, tokens[i], true});
    DS4_TRY(const StepOutput output,
            engine_->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
    for (std::uint32_t i = 0; i < output.rows; ++i) take(at + i, output.row(i));
  }
  return {};
}

}  // namespace ds4::run
