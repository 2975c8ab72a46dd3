// Any bytes as a saved session of the micro model: reading may fail but not crash, and what passes
// has every row that an engine would copy. Once as they are, and once with the fields set right
// that chance does not find: magic, version, size, model, checksums.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "kv/checksum.hpp"
#include "kv/snapshot.hpp"
#include "model/synthetic.hpp"

namespace {

using ds4::LayerStorage;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kContext = 1024;

const ds4::SnapshotShape& shape() {
  static const ds4::SnapshotShape of_micro = [] {
    const ds4::ModelConfig config = ds4::SyntheticSpec::make("micro")->config;
    const auto layout = ds4::KvLayout::make(config, {}, {1, kContext, 100, 1});
    return ds4::SnapshotShape(config, *layout, {});
  }();
  return of_micro;
}

std::size_t touch(std::span<const std::byte> bytes, std::uint64_t at, std::uint64_t count) {
  std::size_t sum = 0;
  for (const std::byte b : bytes.subspan(at, count)) sum += std::to_integer<std::size_t>(b);
  return sum;
}

std::size_t touch_rows(const ds4::SnapshotView& view) {
  std::size_t sum = view.tokens.size();
  const std::uint64_t tokens = view.tokens.size();
  for (std::size_t i = 0; i < shape().layers.size(); ++i) {
    const LayerStorage& layer = shape().layers[i];
    if (layer.ratio != 0) {
      const std::uint64_t rows = tokens / layer.ratio;
      sum += touch(view.bytes, view.layout.rows_at[i], rows * layer.pool.row_bytes);
      sum += touch(view.bytes, view.layout.index_rows_at[i], rows * layer.index_pool.row_bytes);
    }
    for (std::size_t f = 0; f < view.frontiers.size(); ++f) {
      const ds4::SnapshotLayout::Frontier& at = view.layout.frontiers_at[f][i];
      const std::uint32_t window = ds4::window_rows(shape(), view.frontiers[f]).count;
      sum += touch(view.bytes, at.window, window * layer.ring.row_bytes);
      if (layer.ratio == 0) continue;
      const std::uint32_t pairs = ds4::pair_rows(shape(), layer, view.frontiers[f]).count;
      sum += touch(view.bytes, at.pairs, pairs * layer.pairs.row_bytes);
      sum += touch(view.bytes, at.index_pairs, pairs * layer.index_pairs.row_bytes);
    }
  }
  return sum;
}

template <class Number>
void put(Bytes& bytes, std::size_t at, Number value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void set_right(Bytes& bytes) {
  if (bytes.size() < ds4::kSnapshotHeaderBytes + ds4::kSnapshotChecksumBytes) return;
  const Bytes head = ds4::snapshot_head(shape(), {}, {});
  std::memcpy(bytes.data(), head.data(), 16);  // magic, version, header bytes
  put<std::uint64_t>(bytes, 16, bytes.size());
  std::memcpy(bytes.data() + 32, head.data() + 32, 88);  // model, shape, reserved
  const std::span<const std::byte> view(bytes);
  put(bytes, 120, ds4::Checksum::of(view.first(120)));
  const std::size_t end = bytes.size() - ds4::kSnapshotChecksumBytes;
  put(bytes, end, ds4::Checksum::of(view.first(end)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto raw = std::as_bytes(std::span(data, size));
  Bytes bytes(raw.begin(), raw.end());
  std::size_t sum = 0;
  for (const bool is_set_right : {false, true}) {
    if (is_set_right) set_right(bytes);
    const auto view = ds4::SnapshotView::read(bytes, shape(), "fuzz");
    if (view) sum += touch_rows(*view);
  }
  // The sum decides nothing; reading it keeps the loops.
  volatile std::size_t sink = sum;
  static_cast<void>(sink);
  return 0;
}
