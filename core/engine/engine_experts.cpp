// An engine whose routed experts come through a cache.
#include <algorithm>
#include <new>
#include <utility>

#include "engine/engine_state.hpp"

namespace ds4 {

Result<void> Engine::State::open_experts(const ExpertLayout& layout) {
  plugins::Device& device = *devices.devices.front();
  try {
    DS4_TRY(expert_cache,
            ExpertCache::make(expert_source(model, device, layout), memory_plan.experts->bytes(),
                              layout.least, kExpertReaders));
    foretold.reserve(layout.experts);
    is_foretold.resize(layout.experts);
    DS4_CHECK(read_expert_tables());
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no host memory for the tables of an expert cache");
  }
  DS4_TRY(expert_loan, device.backend().host().lend_experts(*expert_cache));
  return {};
}

Result<void> Engine::State::read_expert_tables() {
  ThreadTeam alone(1);
  for (std::uint32_t layer = 0; layer < model.config().layers; ++layer) {
    if (!model.config().is_hash_routed(layer)) continue;
    const TensorInfo& tensor = *model.layer_tensor(layer, TensorRole::ffn_gate_tid2eid);
    ExpertTable& table = expert_tables.emplace_back();
    table.layer = layer;
    table.ids.resize(tensor.bytes / sizeof(std::int32_t));
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(table.ids));
    const Result<void> read = model.read_rows(tensor, 0, tensor.rows(), bytes, alone);
    if (!read) return read.error().in("tensor ", tensor.name);
  }
  return {};
}

/// Layers that route by token choose what can be read while earlier ops of the step run. No more
/// than half of the cache: what those layers do not need is not worse for it.
void Engine::State::foretell_experts() {
  std::uint32_t room = expert_cache->capacity() / 2;
  for (const ExpertTable& table : expert_tables) {
    if (room == 0) return;
    foretold.clear();
    std::fill(is_foretold.begin(), is_foretold.end(), std::uint8_t{0});
    for (const std::int32_t named : segments.tokens) {
      if (foretold.size() == room) break;
      const std::int32_t token =
          named >= 0 ? named : previous_argmax[static_cast<std::size_t>(-1 - named)];
      const std::size_t wide = model.config().experts_used;
      for (std::size_t k = 0; k < wide && foretold.size() < room; ++k) {
        const auto id =
            static_cast<std::uint32_t>(table.ids[static_cast<std::size_t>(token) * wide + k]) %
            static_cast<std::uint32_t>(is_foretold.size());
        if (std::exchange(is_foretold[id], std::uint8_t{1}) != 0) continue;
        foretold.push_back(static_cast<std::int32_t>(id));
      }
    }
    room -= static_cast<std::uint32_t>(foretold.size());
    expert_cache->prefetch(table.layer, foretold);
  }
}

std::optional<ExpertReport> Engine::State::expert_report() const {
  if (!expert_cache) return std::nullopt;
  return ExpertReport{memory_plan.experts->held, memory_plan.experts->all,
                      memory_plan.experts->bytes(), expert_cache->counts()};
}

std::optional<ExpertReport> Engine::expert_report() const {
  return state_->expert_report();
}

void Engine::reset_expert_counts() noexcept {
  if (state_->expert_cache) state_->expert_cache->reset_counts();
}

}  // namespace ds4
