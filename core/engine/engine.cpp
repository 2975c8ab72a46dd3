#include "engine/engine.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "engine/engine_state.hpp"

namespace ds4 {

MemoryReport& MemoryReport::operator+=(const MemoryReport& other) {
  weights += other.weights;
  weights_in_place += other.weights_in_place;
  rings += other.rings;
  restore_points += other.restore_points;
  pages += other.pages;
  activations += other.activations;
  workspace += other.workspace;
  step += other.step;
  expert_cache += other.expert_cache;
  return *this;
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(ModelFile model,
                                             std::shared_ptr<plugins::Device> device,
                                             EngineOptions options) {
  EngineDevices devices;
  devices.devices.push_back(std::move(device));
  devices.placement = Placement::single(model.config().layers);
  return open(std::move(model), std::move(devices), std::move(options));
}

Result<std::unique_ptr<Engine>> Engine::open(ModelFile model, EngineDevices devices,
                                             EngineOptions options) {
  auto state = std::make_unique<State>(std::move(model), std::move(devices), std::move(options));
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
const EngineDevices& Engine::devices() const noexcept {
  return state_->devices;
}
const MemoryReport& Engine::memory() const noexcept {
  return state_->memory;
}
const MemoryPlan& Engine::memory_plan() const noexcept {
  return state_->memory_plan;
}
std::vector<StageReport> Engine::stages() const {
  std::vector<StageReport> out;
  for (const StageRef& at : state_->stages) {
    const Stage& stage = state_->stage(at);
    const DevicePart& part = *state_->parts[at.part];
    out.push_back({stage.span, part.device, &stage.plans.back(), part.memory});
  }
  return out;
}
std::optional<ShadowReport> Engine::shadow_report() const {
  if (!state_->shadow) return std::nullopt;
  return state_->shadow->report();
}

Result<SessionId> Engine::create_session() {
  DS4_TRY(const SessionState* const session, state_->store.open_session());
  return session->slot;
}

void Engine::close_session(SessionId session) {
  SessionState* const open = state_->store.find(session);
  DS4_ASSERT(open != nullptr);
  state_->store.close(*open);
}

std::span<const std::int32_t> Engine::tokens(SessionId session) const {
  const SessionState* const open = state_->store.find(session);
  DS4_ASSERT(open != nullptr);
  return open->tokens;
}

std::uint32_t Engine::position(SessionId session) const {
  const SessionState* const open = state_->store.find(session);
  DS4_ASSERT(open != nullptr);
  return open->position;
}

Result<StepOutput> Engine::step(const StepRequest& request) {
  return state_->step(request);
}

Result<PageDemand> Engine::page_demand(std::span<const RowsWanted> wanted) const {
  std::vector<SessionGrowth> growths;
  for (const RowsWanted& rows : wanted) {
    DS4_TRY(SessionState* const session, state_->open_session(rows.session));
    if (rows.rows > state_->options.context - session->position) {
      return fail(Errc::invalid_argument, "session ", rows.session, " is at ", session->position,
                  " of ", state_->options.context, " tokens: no room for ", rows.rows, " more");
    }
    const bool is_twice = std::any_of(growths.begin(), growths.end(),
                                      [&](const auto& other) { return other.session == session; });
    if (is_twice) {
      return fail(Errc::invalid_argument, "session ", rows.session, " is named twice");
    }
    growths.push_back({session, rows.rows});
  }
  return state_->store.demand(growths);
}

Result<SessionId> Engine::fork(SessionId session) {
  DS4_TRY(const SessionState* const open, state_->open_session(session));
  return state_->fork(*open);
}

Result<bool> Engine::keep_restore_point(SessionId session, std::uint32_t position) {
  DS4_TRY(SessionState* const open, state_->open_session(session));
  if (position > open->position) {
    return fail(Errc::invalid_argument, "session ", session, " is at ", open->position,
                ": there is no state at ", position, " to keep");
  }
  if (position < open->floor()) return false;
  return state_->keep_point(*open, position, true);
}

std::vector<std::uint32_t> Engine::restore_points(SessionId session) const {
  const SessionState* const open = state_->store.find(session);
  DS4_ASSERT(open != nullptr);
  std::vector<std::uint32_t> positions;
  for (const std::uint32_t index : open->points) {
    positions.push_back(state_->store.point(index).position);
  }
  return positions;
}

Result<std::uint32_t> Engine::rewind(SessionId session, std::uint32_t position) {
  DS4_TRY(SessionState* const open, state_->open_session(session));
  if (position > open->position) {
    return fail(Errc::invalid_argument, "cannot rewind session ", session, " from ", open->position,
                " forward to ", position);
  }
  // Where it is a session needs nothing, even if a failed step has raised its floor past that.
  if (position < open->position) state_->go_back(*open, position);
  return open->position;
}

Result<void> Engine::snapshot(SessionId session, const SnapshotSink& sink,
                              SnapshotContent content) {
  DS4_TRY(const SessionState* const open, state_->open_session(session));
  return state_->save(*open, sink, content == SnapshotContent::with_restore_points);
}

Result<void> Engine::check_snapshot(std::span<const std::byte> head, std::uint64_t file_bytes,
                                    std::string_view name) const {
  DS4_TRY([[maybe_unused]] const SnapshotHeader header,
          read_snapshot_header(head, file_bytes, state_->snapshot_shape(), name));
  return {};
}

Result<void> Engine::restore(SessionId session, std::span<const std::byte> bytes,
                             std::string_view name) {
  DS4_TRY(SessionState* const open, state_->open_session(session));
  return state_->restore(*open, bytes, name);
}

}  // namespace ds4
