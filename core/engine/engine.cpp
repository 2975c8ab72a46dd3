#include "engine/engine.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "engine/engine_state.hpp"

namespace ds4 {

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(ModelFile model,
                                             std::shared_ptr<plugins::Device> device,
                                             EngineOptions options) {
  auto state = std::make_unique<State>(std::move(model), std::move(device), std::move(options));
  DS4_CHECK(state->open());
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

const ModelFile& Engine::model() const noexcept {
  return state_->model;
}
const ModelConfig& Engine::config() const noexcept {
  return state_->model.config();
}
const EngineOptions& Engine::options() const noexcept {
  return state_->options;
}
const MemoryReport& Engine::memory() const noexcept {
  return state_->memory;
}
const Plan& Engine::plan() const noexcept {
  return state_->classes.back().plan;
}

Result<SessionId> Engine::create_session() {
  auto& sessions = state_->sessions;
  const auto free = std::find_if(sessions.begin(), sessions.end(),
                                 [](const auto& session) { return !session.has_value(); });
  if (free == sessions.end()) {
    return fail(Errc::out_of_memory, "all ", sessions.size(),
                " sessions are in use; close one or open the engine with more");
  }
  const auto slot = static_cast<std::uint32_t>(free - sessions.begin());
  free->emplace();
  (*free)->slot = slot;
  (*free)->tokens.reserve(state_->options.context);
  for (std::size_t c = 0; c < state_->kv.classes.size(); ++c) {
    (*free)->pages[c].reserve(state_->kv.classes[c].session_pages);
  }
  return slot;
}

void Engine::close_session(SessionId session) {
  DS4_ASSERT(session < state_->sessions.size() && state_->sessions[session]);
  state_->shorten(*state_->sessions[session], 0);
  state_->sessions[session].reset();
}

std::span<const std::int32_t> Engine::tokens(SessionId session) const {
  DS4_ASSERT(session < state_->sessions.size() && state_->sessions[session]);
  return state_->sessions[session]->tokens;
}

std::uint32_t Engine::position(SessionId session) const {
  DS4_ASSERT(session < state_->sessions.size() && state_->sessions[session]);
  return state_->sessions[session]->position;
}

Result<StepOutput> Engine::step(const StepRequest& request) {
  return state_->step(request);
}

Result<std::uint32_t> Engine::rewind(SessionId id, std::uint32_t position) {
  if (id >= state_->sessions.size() || !state_->sessions[id]) {
    return fail(Errc::invalid_argument, "session ", id, " is not open");
  }
  SessionState& session = *state_->sessions[id];
  if (position > session.position) {
    return fail(Errc::invalid_argument, "cannot rewind session ", id, " from ", session.position,
                " forward to ", position);
  }
  // Below the floor the rings no longer hold what these tokens need.
  state_->shorten(session, position >= session.floor() ? position : 0);
  return session.position;
}

}  // namespace ds4
