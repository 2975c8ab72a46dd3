#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/runtime.hpp"

namespace ds4::test {

inline EngineOptions options() {
  EngineOptions out;
  out.context = 512;
  out.sessions = 3;
  out.decode_rows = 4;
  out.prefill_rows = 64;
  out.logits_rows = 64;
  return out;
}

inline std::shared_ptr<plugins::Device> reference(const plugins::BackendOptions& backend = {}) {
  return open_device("cpu-reference", 1, backend);
}

inline std::shared_ptr<plugins::Device> faulty(const std::string& fault, bool composes) {
  return open_device_of(DS4_FAULTY_BACKEND, "faulty", 1,
                        {{"faulty.fault", fault}, {"faulty.compose", composes ? "on" : "off"}});
}

inline ModelFile micro(const TemporaryFolder& folder) {
  return make_model(folder, must(SyntheticSpec::make("micro")));
}

inline std::unique_ptr<Engine> shadowed(ModelFile model, std::shared_ptr<plugins::Device> device,
                                        EngineOptions chosen,
                                        std::shared_ptr<plugins::Device> shadow = reference()) {
  chosen.shadow.device = std::move(shadow);
  return must(Engine::open(std::move(model), std::move(device), std::move(chosen)));
}

inline Result<StepOutput> decode(Engine& engine, const std::vector<StepRow>& rows) {
  return engine.step({.decode = rows, .prefill = {}, .read_logits = true, .forced = {}});
}

}  // namespace ds4::test
