// How an engine gets its shadow.
#include "engine/engine_state.hpp"

namespace ds4 {

ShadowSetup DevicePart::shadow_setup() const {
  ShadowSetup setup;
  setup.model = shape.model;
  setup.stream = &*stream;
  setup.weights = &weights_;
  setup.share = share;
  setup.buffers = {{"rings", &*rings, DS4_USAGE_KV},
                   {"step block", &*step_block_, DS4_USAGE_STEP},
                   {"activations", &*arena_, DS4_USAGE_ACTIVATION},
                   {"sampled ids", &*sampled, DS4_USAGE_STEP},
                   {"logits", &*logits, DS4_USAGE_ACTIVATION}};
  for (const plugins::Buffer& pool : pools) {
    setup.buffers.push_back({"KV pages", &pool, DS4_USAGE_KV});
  }
  for (const plugins::Buffer& table : tables) {
    setup.buffers.push_back({"page table", &table, DS4_USAGE_STEP});
  }
  if (choices_) setup.buffers.push_back({"selections", &*choices_, DS4_USAGE_STEP});
  for (const Stage& stage : stages) {
    for (const Plan& plan : stage.plans) setup.plans.push_back(&plan);
  }
  setup.log = shape.options->log;
  return setup;
}

/// The buffers and plans that it looks at are there by now and stay as they are.
Result<void> Engine::State::open_shadow() {
  if (!options.shadow.device) return {};
  const DevicePart& part = *parts.front();
  ShadowSetup setup = part.shadow_setup();
  setup.progress = [this](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
    if (options.on_load) options.on_load({done, total, tensor});
  };
  DS4_TRY(shadow, Shadow::open(options.shadow, *part.device, setup));
  return {};
}

}  // namespace ds4
