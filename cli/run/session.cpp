#include "run/session.hpp"

#include <algorithm>
#include <utility>

#include "common/expert_cache.hpp"
#include "common/shadow.hpp"
#include "engine/session_file.hpp"

namespace ds4::run {

EngineOptions session_options(const RunOptions& options, const LogSink& log,
                              std::uint32_t logits_rows) {
  EngineOptions engine = cli::engine_options(options.runtime, log);
  engine.logits_rows = std::min(logits_rows, engine.prefill_rows + engine.decode_rows);
  if (options.runtime.shadow) engine.shadow.every = options.runtime.shadow->every;
  return engine;
}

Result<std::unique_ptr<Session>> Session::open(const cli::Console& console,
                                               const RunOptions& options, const std::string& path,
                                               cli::OpenDevices devices, const LogSink& log,
                                               std::uint32_t logits_rows,
                                               std::shared_ptr<plugins::Device> shadow) {
  std::unique_ptr<Session> session(new Session());
  session->path_ = path;
  session->devices_ = std::move(devices);
  session->shadow_ = std::move(shadow);
  session->log_ = log;
  session->logits_rows_ = logits_rows;
  DS4_CHECK(session->load(console, options));
  return session;
}

Result<void> Session::load(const cli::Console& console, const RunOptions& options) {
  DS4_TRY(ModelFile file, cli::open_model(path_));
  if (!tokenizer_) {
    DS4_TRY(Tokenizer tokenizer, cli::open_tokenizer(file.gguf(), log_));
    tokenizer_.emplace(std::move(tokenizer));
  }
  EngineOptions engine = session_options(options, log_, logits_rows_);
  engine.shadow.device = shadow_;
  DS4_TRY(engine_, cli::open_engine(console, std::move(file), devices_, std::move(engine)));
  backend_ = cli::devices_text(engine_->devices());
  return restart();
}

Result<void> Session::restart() {
  model_.reset();
  DS4_TRY(EngineModel model, EngineModel::make(*engine_));
  model_.emplace(std::move(model));
  return {};
}

Result<void> Session::load_state(const std::string& path) {
  return load_session(*engine_, model_->session(), path);
}

Result<void> Session::save_state(const std::string& path) {
  if (!is_open()) return fail(Errc::invalid_argument, path, ": no session is open to be saved");
  return save_session(*engine_, model_->session(), path);
}

bool Session::has_finding() const {
  const auto report = engine_ ? engine_->shadow_report() : std::nullopt;
  return report && report->findings != 0;
}

void Session::say_shadow(const cli::Console& console) const {
  const auto report = engine_ ? engine_->shadow_report() : std::nullopt;
  if (report) cli::say_shadow(console, log_, *report);
}

void Session::say_experts(const cli::Console& console) const {
  if (engine_) cli::say_experts(console, *engine_);
}

Result<void> Session::resize(const cli::Console& console, const RunOptions& options) {
  model_.reset();
  say_shadow(console);
  say_experts(console);
  engine_.reset();
  return load(console, options);
}

}  // namespace ds4::run
