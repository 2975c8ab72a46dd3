#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/runtime.hpp"
#include "run/options.hpp"
#include "run/token_model.hpp"

namespace ds4::run {

/// What Session::open() opens an engine with.
[[nodiscard]] EngineOptions session_options(const RunOptions& options, const LogSink& log,
                                            std::uint32_t logits_rows);

/// A loaded model with one open session.
class Session {
 public:
  /// Loads `path` on `devices` and opens a session. `logits_rows` > 1 is for measurements that want
  /// logits of many rows. `shadow`: the device of --shadow, or null.
  static Result<std::unique_ptr<Session>> open(const cli::Console& console,
                                               const RunOptions& options, const std::string& path,
                                               cli::OpenDevices devices, const LogSink& log,
                                               std::uint32_t logits_rows = 1,
                                               std::shared_ptr<plugins::Device> shadow = nullptr);

  [[nodiscard]] EngineModel& model() noexcept { return *model_; }
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// The backend, or the placement on several; cli::devices_text().
  [[nodiscard]] const std::string& backend() const noexcept { return backend_; }
  /// An empty session in place of the one there was.
  Result<void> restart();
  /// Another context size; loads again. On failure the session is gone (is_open() is false).
  Result<void> resize(const cli::Console& console, const RunOptions& options);
  /// Makes the open session what the file of save_state() holds. Errors: those of load_session().
  Result<void> load_state(const std::string& path);
  /// Errors: those of save_session(); invalid_argument when no session is open.
  Result<void> save_state(const std::string& path);
  /// Whether a shadow has found an op out of tolerance: the run is over then.
  [[nodiscard]] bool has_finding() const;
  /// Says what a shadow has compared, if there is one.
  void say_shadow(const cli::Console& console) const;
  /// Says what an expert cache did, if there is one.
  void say_experts(const cli::Console& console) const;
  [[nodiscard]] bool is_open() const noexcept { return model_.has_value(); }

 private:
  Session() = default;
  Result<void> load(const cli::Console& console, const RunOptions& options);

  std::string path_;
  cli::OpenDevices devices_;
  std::shared_ptr<plugins::Device> shadow_;
  std::string backend_;
  LogSink log_;
  std::uint32_t logits_rows_ = 1;
  std::optional<Tokenizer> tokenizer_;
  std::unique_ptr<Engine> engine_;
  std::optional<EngineModel> model_;
};

}  // namespace ds4::run
