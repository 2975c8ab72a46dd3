#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "common/console.hpp"
#include "common/environment.hpp"
#include "common/exit_code.hpp"
#include "common/runtime_options.hpp"
#include "engine/engine.hpp"
#include "model/model_file.hpp"
#include "registry/registry.hpp"
#include "tokenizer/tokenizer.hpp"
#include "wrap/host_api.hpp"

namespace ds4::cli {

/// The devices that --backend or --place name, open; each once.
struct OpenDevices {
  std::vector<std::shared_ptr<plugins::Device>> devices;
  std::optional<plugins::PlacementRequest> request;  ///< --place
  std::vector<std::size_t> of_name;  ///< by request->backends(): an index of `devices`

  /// What runs where of a model with so many layers. Errors: PlacementRequest::for_layers().
  [[nodiscard]] Result<EngineDevices> for_layers(std::uint32_t layers) const;
};

/// "cuda-spark", or for several devices what --place would be given: "0-20=cuda-spark,21-42=cpu".
[[nodiscard]] std::string devices_text(const EngineDevices& devices);

/// What a program's main() owns: the log, the thread pool, and the backends that were found.
class Runtime {
 public:
  /// Looks for backends; never fails (see Registry::scan).
  Runtime(const Console& console, const RuntimeOptions& options, const Environment& environment);

  [[nodiscard]] const Console& console() const noexcept { return console_; }
  [[nodiscard]] const LogSink& log() const noexcept { return log_; }
  [[nodiscard]] const plugins::Registry& registry() const noexcept { return *registry_; }
  [[nodiscard]] std::uint32_t threads() const noexcept { return threads_; }

  /// Opens the devices that --backend or --place name. A failure prints its reason with the table
  /// of the backends concerned and gives the exit status; a correctness backend says loudly what it
  /// is.
  ExitCode open_devices(const RuntimeOptions& options, OpenDevices& out) const;
  /// Opens the device that --shadow names, if it was given: failures as above.
  ExitCode open_shadow(const std::optional<ShadowRequest>& request,
                       std::shared_ptr<plugins::Device>& out) const;

 private:
  ExitCode open_device(const plugins::Selected& selected, OpenDevices& out) const;
  ExitCode fail_to_open(const std::string& backend, const Error& error) const;
  void explain_failure(const std::string& request, const Error& error) const;
  void warn_of_idle_options() const;
  void warn_of_reference(bool was_asked_for) const;

  const Console& console_;
  LogSink log_;
  std::uint32_t threads_;
  plugins::BackendOptions options_of_backends_;
  std::shared_ptr<plugins::HostApi> host_;
  std::optional<plugins::Registry> registry_;
};

/// Opens and checks a model file. Errors: those of ModelFile::open, with what to do about a file
/// that is not there.
Result<ModelFile> open_model(const std::string& path, ModelChecks checks = ModelChecks::all);

/// The tokenizer of a model file; copies what it needs. `chat` says whether a vocabulary without
/// the markers of a chat is refused.
Result<Tokenizer> open_tokenizer(const GgufFile& file, const LogSink& log,
                                 ChatTokens chat = ChatTokens::optional);

/// Options of an engine that serves one session, as `options` asks for it.
[[nodiscard]] EngineOptions engine_options(const RuntimeOptions& options, const LogSink& log);

/// Loads the weights with progress on stderr, after one line that says what the context takes.
Result<std::unique_ptr<Engine>> open_engine(const Console& console, ModelFile model,
                                            const OpenDevices& devices, EngineOptions options);

/// "context: 32768 tokens, 131.2 MiB (...), backend cpu, prefill chunk 512"; on several devices
/// "placement 0-20=cuda,21-42=cpu" in place of the backend.
Result<std::string> context_line(const ModelConfig& config, const EngineOptions& options,
                                 const EngineDevices& devices);

}  // namespace ds4::cli
