#include "engine/shadow_side.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.hpp"
#include "engine/memory_kind.hpp"
#include "engine/memory_planner.hpp"
#include "ops/views.hpp"

namespace ds4 {

bool ShadowSide::Both::are_equal() const {
  return std::memcmp(wanted.data(), got.data(), got.size()) == 0;
}

Result<std::unique_ptr<ShadowSide>> ShadowSide::open(std::shared_ptr<plugins::Device> device,
                                                     const ShadowSetup& setup) {
  auto side = std::make_unique<ShadowSide>();
  side->device_ = std::move(device);
  side->theirs_ = setup.stream;
  DS4_CHECK(side->create(setup));
  return side;
}

Result<plugins::Buffer> ShadowSide::buffer(std::uint64_t bytes, std::uint32_t usage,
                                           std::string_view what) {
  auto made = device_->create_buffer(bytes, memory_kind_, usage);
  if (!made) return made.error().in(what, " (", bytes, " bytes)");
  return made;
}

Result<void> ShadowSide::create(const ShadowSetup& setup) {
  DS4_TRY(memory_kind_, fastest_memory(*device_));
  DS4_TRY(stream_, device_->create_stream());
  for (const ShadowedBuffer& shown : setup.buffers) {
    if (shown.buffer->bytes() == 0) continue;
    DS4_TRY(plugins::Buffer own, buffer(shown.buffer->bytes(), shown.usage, shown.name));
    buffers_.emplace(handle_key(shown.buffer->handle()), handle_key(own.handle()));
    mirrors_.push_back({shown.name, shown.buffer, std::move(own)});
  }
  DS4_TRY(weights_, load_weights(*setup.model, *device_, setup.share, setup.log, setup.progress));
  map_weights(setup);
  return prepare(setup);
}

void ShadowSide::map_weights(const ShadowSetup& setup) {
  handles_ = buffers_;
  const auto map = [&](const WeightTable& theirs, const WeightTable& own, std::uint32_t layer) {
    for (std::size_t r = 0; r < theirs.size(); ++r) {
      if (theirs[r] == nullptr) continue;
      const auto role = static_cast<TensorRole>(r);
      const TensorInfo* tensor = layer == DS4_NO_LAYER ? setup.model->global_tensor(role)
                                                       : setup.model->layer_tensor(layer, role);
      handles_.emplace(handle_key(theirs[r]), handle_key(own[r]));
      types_.emplace(handle_key(theirs[r]), tensor->dtype);
    }
  };
  map(setup.weights->global, weights_.global, DS4_NO_LAYER);
  for (std::uint32_t layer = 0; layer < setup.weights->layers.size(); ++layer) {
    map(setup.weights->layers[layer], weights_.layers[layer], layer);
  }
}

/// Every op of every plan: once for the sizes, once over the buffers that then exist.
Result<void> ShadowSide::prepare(const ShadowSetup& setup) {
  RepeatSizes sizes;
  for (const Plan* plan : setup.plans) {
    DS4_TRY(const RepeatSizes needed, repeat_sizes(*device_, plan->ops(), handles_));
    sizes.scratch = std::max(sizes.scratch, needed.scratch);
    sizes.workspace = std::max(sizes.workspace, workspace_lines(needed.workspace));
  }
  DS4_TRY(scratch_, buffer(sizes.scratch, DS4_USAGE_ACTIVATION, "scratch"));
  DS4_TRY(workspace_, buffer(sizes.workspace, DS4_USAGE_ACTIVATION, "workspace"));
  if (sizes.workspace > 0) {
    const auto lines = static_cast<std::uint32_t>(sizes.workspace / kWorkspaceLine);
    workspace_view_ =
        make_view(workspace_->handle(), 0, DS4_DTYPE_F32, {lines, kWorkspaceLine / sizeof(float)});
  }
  for (const Plan* plan : setup.plans) {
    for (const ds4_op* op : plan->ops()) {
      DS4_TRY(RepeatedOp repeated,
              repeat_op(*device_, with_handles(*op, handles_), scratch_->handle()));
      ops_.emplace(op, std::move(repeated));
    }
  }
  return {};
}

Result<void> ShadowSide::run(const std::vector<OpCopy>& copies, const ds4_view& block) const {
  std::vector<const ds4_op*> ops;
  for (const OpCopy& copy : copies) ops.push_back(&copy.op());
  ds4_submission submission{};
  submission.count = static_cast<std::uint32_t>(ops.size());
  submission.ops = ops.data();
  submission.step = block;
  submission.step.buffer = mirror(block.buffer).own.handle();
  submission.workspace = workspace_view_;
  DS4_CHECK(stream_->enqueue(submission));
  return stream_->sync();
}

const ShadowSide::Mirror& ShadowSide::mirror(const ds4_buffer* theirs) const {
  const auto found = std::find_if(mirrors_.begin(), mirrors_.end(), [theirs](const Mirror& entry) {
    return entry.theirs->handle() == theirs;
  });
  DS4_ASSERT(found != mirrors_.end());
  return *found;
}

Result<ShadowSide::Both> ShadowSide::read(const ds4_buffer* buffer, std::uint64_t offset,
                                          std::uint64_t bytes) const {
  const Mirror& from = mirror(buffer);
  try {
    wanted_.resize(std::max<std::size_t>(wanted_.size(), bytes));
    got_.resize(wanted_.size());
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no host memory to compare ", bytes, " bytes");
  }
  // Whatever fails, no read may be under way into what the next call resizes.
  const auto wanted = std::span(wanted_).first(bytes);
  const auto got = std::span(got_).first(bytes);
  const Result<void> own = stream_->read(from.own, offset, wanted);
  const Result<void> other = theirs_->read(*from.theirs, offset, got);
  const Result<void> own_done = stream_->sync();
  const Result<void> other_done = theirs_->sync();
  for (const Result<void>* done : {&own, &other, &own_done, &other_done}) DS4_CHECK(*done);
  return Both{wanted, got};
}

Result<void> ShadowSide::take(const ds4_buffer* buffer, std::uint64_t offset,
                              const Both& read) const {
  DS4_CHECK(stream_->write(mirror(buffer).own, offset, read.got));
  return stream_->sync();
}

Result<void> ShadowSide::take_all() const {
  for (const Mirror& entry : mirrors_) {
    for (std::uint64_t at = 0; at < entry.own.bytes(); at += kShadowChunkBytes) {
      const std::uint64_t bytes = std::min(kShadowChunkBytes, entry.own.bytes() - at);
      DS4_TRY(const Both both, read(entry.theirs->handle(), at, bytes));
      DS4_CHECK(take(entry.theirs->handle(), at, both));
    }
  }
  return {};
}

Result<void> ShadowSide::read_scratch(std::uint64_t offset, std::span<std::byte> to) const {
  DS4_CHECK(stream_->read(*scratch_, offset, to));
  return stream_->sync();
}

}  // namespace ds4
