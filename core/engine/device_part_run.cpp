// What a part of an engine does in a step and between steps.
#include "base/assert.hpp"
#include "engine/device_part.hpp"

namespace ds4 {

ds4_submission DevicePart::submission(const Plan& plan) const {
  ds4_submission submission{};
  submission.count = static_cast<std::uint32_t>(plan.ops().size());
  submission.ops = plan.ops().data();
  submission.step = plan.step().block;
  submission.workspace = workspace_view_;
  return submission;
}

Result<void> DevicePart::write_block(std::span<const std::int32_t> words) const {
  return stream->write(*step_block_, 0, std::as_bytes(words));
}

Result<void> DevicePart::write_streams(const Plan& plan, std::span<const float> streams) const {
  return stream->write(*arena_, plan.streams().offset, std::as_bytes(streams));
}

Result<void> DevicePart::read_streams(const Plan& plan, std::span<float> streams) const {
  return stream->read(*arena_, plan.streams().offset, std::as_writable_bytes(streams));
}

Result<void> DevicePart::write_forced(const PassSpan& span,
                                      std::span<const LayerChoices> forced) const {
  for (std::uint32_t layer = span.first_layer; layer < span.end_layer; ++layer) {
    const LayerChoices& given = forced[layer];
    const LayerSelections& place = selections_[layer];
    DS4_CHECK(
        stream->write(*choices_, place.experts.offset, std::as_bytes(std::span(given.experts))));
    if (given.index.empty()) continue;
    DS4_CHECK(stream->write(*choices_, place.index.offset, std::as_bytes(std::span(given.index))));
  }
  return {};
}

Result<void> DevicePart::read_choices(const PassSpan& span, std::uint32_t rows,
                                      std::span<LayerChoices> out) const {
  for (std::uint32_t layer = span.first_layer; layer < span.end_layer; ++layer) {
    const LayerSelections& place = selections_[layer];
    LayerChoices& chosen = out[layer];
    chosen.experts.resize(std::size_t{rows} * place.experts.extent[1]);
    DS4_CHECK(stream->read(*choices_, place.experts.offset,
                           std::as_writable_bytes(std::span(chosen.experts))));
    if (place.index.rank == 0) continue;
    chosen.index.resize(std::size_t{rows} * place.index.extent[1]);
    DS4_CHECK(stream->read(*choices_, place.index.offset,
                           std::as_writable_bytes(std::span(chosen.index))));
  }
  return {};
}

Result<void> DevicePart::copy_rings(const std::optional<plugins::Buffer>& to,
                                    std::uint64_t to_index,
                                    const std::optional<plugins::Buffer>& from,
                                    std::uint64_t from_index) const {
  if (!share.has_layers()) return {};
  return stream->copy(*to, to_index * kv.slot_bytes, *from, from_index * kv.slot_bytes,
                      kv.slot_bytes);
}

Result<void> DevicePart::copy_page(const PageMove& move) const {
  const plugins::Buffer& pool = pools[move.ratio_class];
  for (const LayerStorage& layer : kv.layers()) {
    if (layer.ratio == 0 || layer.ratio_class != move.ratio_class) continue;
    for (const RowPlace& place : {layer.pool, layer.index_pool}) {
      if (place.row_bytes == 0) continue;
      const std::uint64_t page = kPageRows * place.row_bytes;
      DS4_CHECK(stream->copy(pool, place.offset + move.to * page, pool,
                             place.offset + move.from * page, move.rows * place.row_bytes));
    }
  }
  return {};
}

Result<void> DevicePart::send_entries(std::size_t ratio_class, std::size_t begin,
                                      std::span<const std::int32_t> entries) const {
  const plugins::Buffer& table = tables[ratio_class];
  if (!table) return {};
  return stream->write(table, begin * sizeof(std::int32_t), std::as_bytes(entries));
}

bool DevicePart::drain() const {
  const Result<void> done = stream->sync();
  if (!done && shape.options->log) shape.options->log(LogLevel::debug, "engine", done.error().what);
  return done.ok();
}

}  // namespace ds4
