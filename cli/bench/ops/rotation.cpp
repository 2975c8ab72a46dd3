#include "bench/ops/rotation.hpp"

#include <algorithm>
#include <random>

#include "base/checked.hpp"
#include "format/dtype.hpp"
#include "model/synthetic_blocks.hpp"

namespace ds4::bench {
namespace {

/// More copies are more objects than a device likes; small weights then take less than is wanted.
constexpr std::uint64_t kMostSets = 1024;
constexpr std::uint64_t kPatternBytes = std::uint64_t{4} << 20;

/// About 4 MiB of random valid blocks of a type, or of ids; tensors are made of them over and over.
Result<std::vector<std::byte>> make_pattern(const ShapedWeight& weight) {
  if (weight.desc.dtype == DS4_DTYPE_I32) {
    std::mt19937 random(1);
    std::vector<std::int32_t> ids(kPatternBytes / sizeof(std::int32_t));
    for (auto& id : ids) id = static_cast<std::int32_t>(random() % std::max(weight.id_limit, 1U));
    const auto bytes = std::as_bytes(std::span(ids));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  DS4_TRY(const synthetic::BlockMaker maker,
          synthetic::BlockMaker::make(static_cast<Dtype>(weight.desc.dtype), 1.0 / 64));
  const std::uint64_t blocks = kPatternBytes / maker.bytes();
  std::vector<std::byte> bytes(blocks * maker.bytes());
  maker.fill(1, 0, blocks, bytes.data());
  return bytes;
}

}  // namespace

class Rotation::Maker {
 public:
  Maker(std::shared_ptr<plugins::Device> device, const Kernel& kernel, const BufferKeys& keys,
        const StepStand* stand)
      : device_(std::move(device)),
        kernel_(kernel),
        keys_(keys),
        stand_(stand),
        memory_(device_->info().memory[0].kind) {}

  Result<void> make(const RotationLimits& limits, Rotation& out) {
    std::uint64_t each = 0;
    for (const ShapedWeight* weight : kernel_.weights) each += weight->desc.bytes;
    if (stand_ != nullptr) each += stand_->ring_bytes() + stand_->pool_bytes();
    if (limits.most != 0 && each > limits.most) {
      return fail(Errc::out_of_memory, "needs ", each >> 20, " MiB of ", limits.most >> 20,
                  " that may be taken");
    }
    std::uint64_t count = each == 0 ? 1 : std::min(ceil_div(limits.wanted, each), kMostSets);
    if (limits.most != 0 && each != 0) count = std::min(count, limits.most / each);
    out.is_short_ = each != 0 && count * each < limits.wanted;
    out.bytes_ = count * each;
    DS4_TRY(stream_, device_->create_stream());
    for (std::uint64_t i = 0; i < count; ++i) DS4_CHECK(add_set(out));
    DS4_CHECK(add_lists(out));
    return add_copies(out);
  }

 private:
  Result<void> add_set(Rotation& out) {
    Set& set = out.sets_.emplace_back();
    for (const ShapedWeight* weight : kernel_.weights) {
      DS4_TRY(plugins::Weight made, import(*weight));
      set.handles[handle_key(weight)] = handle_key(made.handle());
      set.weights.push_back(std::move(made));
    }
    if (stand_ == nullptr) return {};
    for (const auto& [key, bytes] : {std::pair{&keys_.rings, stand_->ring_bytes()},
                                     std::pair{&keys_.pool, stand_->pool_bytes()}}) {
      DS4_TRY(plugins::Buffer made, device_->create_buffer(bytes, memory_, DS4_USAGE_KV));
      set.handles[handle_key(key)] = handle_key(made.handle());
      set.buffers.push_back(std::move(made));
    }
    const std::vector<plugins::Buffer>& first = out.sets_.front().buffers;
    if (out.sets_.size() == 1) {
      return stand_->fill_rows(first[0].handle(), first[1].handle());
    }
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i].bytes() == 0) continue;
      DS4_CHECK(stream_.copy(set.buffers[i], 0, first[i], 0, first[i].bytes()));
    }
    return stream_.sync();
  }

  Result<plugins::Weight> import(const ShapedWeight& weight) {
    auto at = patterns_.find(weight.desc.dtype);
    if (at == patterns_.end()) {
      DS4_TRY(std::vector<std::byte> made, make_pattern(weight));
      at = patterns_.emplace(weight.desc.dtype, std::move(made)).first;
    }
    const std::span<const std::byte> pattern(at->second);
    DS4_TRY(plugins::WeightImport import, device_->begin_import(weight.desc));
    for (std::uint64_t done = 0; done < weight.desc.bytes; done += pattern.size()) {
      const std::uint64_t rest = weight.desc.bytes - done;
      DS4_CHECK(import.write(done, pattern.first(std::min<std::uint64_t>(rest, pattern.size()))));
    }
    return import.finish();
  }

  Result<void> add_lists(Rotation& out) {
    for (const std::vector<std::int32_t>& list : kernel_.lists) {
      const auto bytes = std::as_bytes(std::span(list));
      DS4_TRY(plugins::Buffer made,
              device_->create_buffer(bytes.size(), memory_, DS4_USAGE_ACTIVATION));
      DS4_CHECK(stream_.write(made, 0, bytes));
      out.lists_.push_back(std::move(made));
    }
    return stream_.sync();
  }

  Result<void> add_copies(Rotation& out) {
    DS4_TRY(const RepeatedOp sized, repeat_op(*device_, bound(out, 0), nullptr));
    if (!sized.lacks.empty()) return fail(Errc::unsupported, "the device lacks ", sized.lacks);
    DS4_TRY(plugins::Buffer scratch,
            device_->create_buffer(sized.scratch, memory_, DS4_USAGE_ACTIVATION));
    const std::size_t count = std::max(out.sets_.size(), out.lists_.size());
    for (std::size_t i = 0; i < count; ++i) {
      DS4_TRY(RepeatedOp op, repeat_op(*device_, bound(out, i), scratch.handle()));
      out.copies_.push_back(std::move(op.copies));
    }
    out.is_composed_ = out.copies_.front().size() > 1;
    out.scratch_.push_back(std::move(scratch));
    return {};
  }

  /// The op over the weights, rows and list of turn `i`.
  [[nodiscard]] OpCopy bound(const Rotation& out, std::size_t i) const {
    HandleMap handles = out.sets_[i % out.sets_.size()].handles;
    if (!out.lists_.empty()) {
      handles[handle_key(&keys_.list)] = handle_key(out.lists_[i % out.lists_.size()].handle());
    }
    return with_handles(kernel_.op.op(), handles);
  }

  std::shared_ptr<plugins::Device> device_;
  const Kernel& kernel_;
  const BufferKeys& keys_;
  const StepStand* stand_;
  std::uint32_t memory_;
  plugins::Stream stream_;
  std::map<std::uint32_t, std::vector<std::byte>> patterns_;  // by dtype
};

Result<Rotation> Rotation::make(std::shared_ptr<plugins::Device> device, const Kernel& kernel,
                                const BufferKeys& keys, const StepStand* stand,
                                const RotationLimits& limits) {
  Rotation out;
  Maker maker(std::move(device), kernel, keys, stand);
  DS4_CHECK(maker.make(limits, out));
  return out;
}

std::vector<const ds4_op*> Rotation::next(std::size_t count) {
  std::vector<const ds4_op*> ops;
  for (std::size_t i = 0; i < count; ++i) {
    for (const OpCopy& copy : copies_[turn_]) ops.push_back(&copy.op());
    turn_ = (turn_ + 1) % copies_.size();
  }
  return ops;
}

}  // namespace ds4::bench
