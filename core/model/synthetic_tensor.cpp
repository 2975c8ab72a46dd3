#include "model/synthetic_tensor.hpp"

#include <atomic>
#include <cstring>
#include <new>
#include <vector>

#include "base/assert.hpp"
#include "format/quants/quants.hpp"

namespace ds4::synthetic {
namespace {

/// Whether a tensor is large enough that its blocks are drawn instead of encoded.
bool draws_blocks(const SyntheticSpec& spec, TensorRole role) {
  if (spec.fill != SyntheticFill::blocks) return false;
  if (role == TensorRole::attn_compressor_ape || role == TensorRole::indexer_compressor_ape) {
    return false;
  }
  const TensorGroup group = role_traits(role).group;
  return group != TensorGroup::vector && group != TensorGroup::table;
}

}  // namespace

Result<TensorMaker> TensorMaker::make(const SyntheticSpec& spec, const TensorSpec& tensor) {
  TensorMaker out(CounterRng(spec.seed, tensor.name));
  out.dtype_ = spec.types.of(tensor.role);
  out.columns_ = tensor.dims[0];
  out.rows_ = 1;
  for (std::size_t i = 1; i < tensor.dims.size(); ++i) out.rows_ *= tensor.dims[i];
  auto bytes = ds4::row_bytes(out.dtype_, out.columns_);
  if (!bytes) return bytes.error().in("tensor ", tensor.name);
  out.row_bytes_ = *bytes;
  if (tensor.role == TensorRole::ffn_gate_tid2eid) {
    out.experts_ = spec.config.experts;
    return out;
  }
  out.rule_ = value_rule(tensor.role, out.columns_);
  if (draws_blocks(spec, tensor.role)) {
    DS4_TRY(BlockMaker blocks, BlockMaker::make(out.dtype_, out.rule_.scale));
    // A row of plain values that is no multiple of four is small.
    if (out.columns_ % blocks.elements() == 0) {
      out.blocks_ = std::make_shared<const BlockMaker>(std::move(blocks));
    }
  }
  return out;
}

Result<void> TensorMaker::fill(std::uint64_t first, std::uint64_t count, std::span<std::byte> out,
                               ThreadTeam& team) const {
  DS4_ASSERT(first + count <= rows_ && out.size() == count * row_bytes_);
  struct Work {
    const TensorMaker* maker;
    std::uint64_t first;
    std::uint64_t count;
    std::byte* out;
    std::atomic<bool> failed{false};
  } work{this, first, count, out.data()};
  const auto body = [](void* arg, std::uint32_t thread, std::uint32_t threads) {
    Work& w = *static_cast<Work*>(arg);
    const std::uint64_t begin = w.count * thread / threads;
    const std::uint64_t end = w.count * (thread + 1) / threads;
    try {
      w.maker->fill_part(w.first + begin, end - begin, w.out + begin * w.maker->row_bytes_);
    } catch (const std::bad_alloc&) {
      w.failed = true;
    }
  };
  team.run(body, &work);
  if (work.failed) return fail(Errc::out_of_memory, "no memory to make weights in");
  return {};
}

void TensorMaker::fill_part(std::uint64_t first, std::uint64_t count, std::byte* out) const {
  if (count == 0) return;
  if (experts_ != 0) return fill_table(first, count, out);
  if (!blocks_) return fill_values(first, count, out);
  const std::uint64_t per_row = columns_ / blocks_->elements();
  blocks_->fill(rng_.key(), first * per_row, count * per_row, out);
}

void TensorMaker::fill_table(std::uint64_t first, std::uint64_t count, std::byte* out) const {
  std::vector<std::int32_t> row(columns_);
  for (std::uint64_t i = 0; i < count; ++i) {
    rng_.distinct_ids(row, first + i, experts_);
    std::memcpy(out + i * row_bytes_, row.data(), row_bytes_);
  }
}

void TensorMaker::fill_values(std::uint64_t first, std::uint64_t count, std::byte* out) const {
  std::vector<float> values(columns_);
  for (std::uint64_t i = 0; i < count; ++i) {
    rng_.fill(values, (first + i) * columns_, rule_.scale, rule_.offset);
    // The values are finite and the row consists of whole blocks: there is nothing to refuse.
    const auto done = quantize_row(dtype_, values.data(), out + i * row_bytes_, columns_);
    DS4_ASSERT(done.ok());
  }
}

}  // namespace ds4::synthetic
