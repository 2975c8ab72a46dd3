#include "kv/step_writer.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace ds4 {
namespace {

/// Writes one step; keeps the running counts of rows, logits rows and emissions.
class StepWriter {
 public:
  StepWriter(const StepLayout& layout, const StepGeometry& geometry, std::span<std::int32_t> words)
      : layout_(layout), geometry_(geometry), words_(words) {
    DS4_ASSERT(words.size() >= layout.words);
  }

  void segment(const StepSegment& segment) {
    const auto rows = static_cast<std::uint32_t>(segment.tokens.size());
    DS4_ASSERT(row_ + rows <= layout_.step_class.rows());
    for (std::uint32_t i = 0; i < rows; ++i) row(segment, i, rows);
    for (std::size_t c = 0; c < geometry_.classes.size(); ++c) emissions(segment, c, rows);
    row_ += rows;
  }

  void header(std::uint32_t decode_rows, const StepSegment* prefill, std::uint32_t serial) {
    std::fill(words_.begin(), words_.begin() + DS4_STEP_HEADER_WORDS, 0);
    words_[DS4_STEP_ROWS] = number(row_);
    words_[DS4_STEP_DECODE_ROWS] = number(decode_rows);
    words_[DS4_STEP_PREFILL_ROWS] = number(row_ - decode_rows);
    words_[DS4_STEP_PREFILL_SLOT] = prefill ? number(prefill->session->slot) : -1;
    words_[DS4_STEP_PREFILL_BEGIN] = prefill ? number(prefill->session->position) : 0;
    words_[DS4_STEP_LOGITS_ROWS] = number(logits_);
    words_[DS4_STEP_SERIAL] = number(serial);
    for (std::size_t c = 0; c < geometry_.classes.size(); ++c) {
      words_[DS4_STEP_EMISSIONS + c] = number(emitted_[c]);
    }
  }

  [[nodiscard]] std::uint32_t rows() const { return row_; }

 private:
  static std::int32_t number(std::uint32_t value) { return static_cast<std::int32_t>(value); }

  std::int32_t& at(const ds4_view& view, std::uint32_t index, std::uint32_t column = 0) {
    return words_[(view.offset + index * view.stride[0]) / sizeof(std::int32_t) + column];
  }

  void row(const StepSegment& segment, std::uint32_t i, std::uint32_t rows) {
    const SessionState& session = *segment.session;
    const std::uint32_t index = row_ + i;
    const std::uint32_t before = session.position;  // positions below lie in the rings
    const std::uint32_t t = before + i;
    at(layout_.slots, index, 0) = number(session.slot);
    at(layout_.slots, index, 1) = number(t);
    at(layout_.slots, index, 2) = segment.tokens[i];
    at(layout_.slots, index, 3) = segment.wants_logits[i] ? 1 : 0;
    if (segment.wants_logits[i]) {
      DS4_ASSERT(logits_ < layout_.step_class.logits_rows);
      at(layout_.logits_ids, logits_++) = number(index);
    }

    const std::uint32_t first = t + 1 > geometry_.window ? t + 1 - geometry_.window : 0;
    at(layout_.ring_range, index, 0) = number(first);
    at(layout_.ring_range, index, 1) = first < before ? number(before - first) : 0;
    const std::uint32_t first_work = std::max(first, before) - before;
    at(layout_.work_range, index, 0) = number(row_ + first_work);
    at(layout_.work_range, index, 1) = number(i + 1 - first_work);

    at(layout_.ring_ids, index) = ring_row(session.slot, t, i, rows, geometry_.ring_capacity);
    for (std::size_t c = 0; c < geometry_.classes.size(); ++c) {
      const RatioClass& ratio = geometry_.classes[c];
      const RatioLists& lists = layout_.ratios[c];
      at(lists.visible, index) = number((t + 1) / ratio.ratio);
      at(lists.window_rows, index) = number(t % ratio.ratio);
      at(lists.pair_ids, index) = ring_row(session.slot, t, i, rows, ratio.pair_capacity);
    }
  }

  /// Rows that a later row of the same segment overwrites are not stored: two rows never share a
  /// destination.
  static std::int32_t ring_row(std::uint32_t slot, std::uint32_t position, std::uint32_t i,
                               std::uint32_t rows, std::uint32_t capacity) {
    if (rows - i > capacity) return -1;
    return number(slot * capacity + position % capacity);
  }

  void emissions(const StepSegment& segment, std::size_t c, std::uint32_t rows) {
    const RatioClass& ratio = geometry_.classes[c];
    const RatioLists& lists = layout_.ratios[c];
    const SessionState& session = *segment.session;
    const std::uint32_t before = session.position;
    for (std::uint32_t j = before / ratio.ratio; j < (before + rows) / ratio.ratio; ++j) {
      const std::uint32_t e = emitted_[c]++;
      DS4_ASSERT(e < lists.emissions);
      const std::uint32_t window = j * ratio.ratio;
      for (std::uint32_t k = 0; k < ratio.span; ++k) {
        // An overlapping window begins one ratio earlier; the first one has nothing there.
        const std::int64_t position = std::int64_t{window} + k - (ratio.span - ratio.ratio);
        at(lists.emit_list, e, k) = pair_row(session, position, ratio);
      }
      at(lists.emit_positions, e) = number(window);
      at(lists.emit_ids, e) = number(session.pages[c][j / kPageRows] * kPageRows + j % kPageRows);
    }
  }

  [[nodiscard]] std::int32_t pair_row(const SessionState& session, std::int64_t position,
                                      const RatioClass& ratio) const {
    if (position < 0) return -1;
    const auto p = static_cast<std::uint32_t>(position);
    if (p < session.position) {
      return number(session.slot * ratio.pair_capacity + p % ratio.pair_capacity);
    }
    return number(geometry_.slots * ratio.pair_capacity + row_ + (p - session.position));
  }

  const StepLayout& layout_;
  const StepGeometry& geometry_;
  std::span<std::int32_t> words_;
  std::uint32_t row_ = 0;
  std::uint32_t logits_ = 0;
  std::array<std::uint32_t, DS4_RATIO_CLASSES> emitted_{};
};

}  // namespace

void write_step(const StepLayout& layout, const StepGeometry& geometry,
                std::span<const StepSegment> decode, const StepSegment* prefill,
                std::uint32_t serial, std::span<std::int32_t> words) {
  StepWriter writer(layout, geometry, words);
  for (const StepSegment& segment : decode) writer.segment(segment);
  const std::uint32_t decode_rows = writer.rows();
  if (prefill != nullptr) writer.segment(*prefill);
  writer.header(decode_rows, prefill, serial);
}

}  // namespace ds4
