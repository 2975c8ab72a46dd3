#include "plan/step_layout.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/checked.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kWord = sizeof(std::int32_t);

/// Hands out row-contiguous i32 views one behind the other.
class Cursor {
 public:
  Cursor(ds4_buffer* block, std::uint64_t words) : block_(block), words_(words) {}

  ds4_view list(std::uint32_t rows) {
    ds4_view view = start(1);
    view.extent[0] = rows;
    view.stride[0] = kWord;
    words_ += rows;
    return view;
  }

  ds4_view table(std::uint32_t rows, std::uint32_t columns) {
    ds4_view view = start(2);
    view.extent[0] = rows;
    view.extent[1] = columns;
    view.stride[0] = columns * kWord;
    view.stride[1] = kWord;
    words_ += std::uint64_t{rows} * columns;
    return view;
  }

  [[nodiscard]] std::uint64_t words() const { return words_; }

 private:
  [[nodiscard]] ds4_view start(std::uint32_t rank) const {
    ds4_view view{};
    view.buffer = block_;
    view.offset = words_ * kWord;
    view.dtype = DS4_DTYPE_I32;
    view.rank = rank;
    return view;
  }

  ds4_buffer* block_;
  std::uint64_t words_;
};

ds4_view column(const ds4_view& table, std::uint32_t index) {
  ds4_view view = table;
  view.rank = 1;
  view.offset += index * kWord;
  view.extent[1] = 0;
  view.stride[1] = 0;
  return view;
}

}  // namespace

std::vector<RatioClass> ratio_classes(const ModelConfig& config) {
  std::vector<RatioClass> classes;
  std::vector<std::uint32_t> ratios = config.ratios;
  std::sort(ratios.begin(), ratios.end());
  ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
  for (const std::uint32_t ratio : ratios) {
    if (ratio == 0) continue;
    const std::uint32_t span = compress_factor(ratio) * ratio;
    classes.push_back({ratio, span, span + kRewindRows});
  }
  DS4_ASSERT(classes.size() <= DS4_RATIO_CLASSES);
  return classes;
}

std::size_t class_of(const std::vector<RatioClass>& classes, std::uint32_t ratio) {
  const auto found = std::find_if(classes.begin(), classes.end(),
                                  [ratio](const RatioClass& c) { return c.ratio == ratio; });
  DS4_ASSERT(found != classes.end());
  return static_cast<std::size_t>(found - classes.begin());
}

StepLayout StepLayout::make(const StepClass& step_class, const std::vector<RatioClass>& classes,
                            ds4_buffer* block) {
  StepLayout layout;
  layout.step_class = step_class;
  const std::uint32_t rows = step_class.rows();
  Cursor cursor(block, DS4_STEP_HEADER_WORDS);
  const ds4_view table = cursor.table(rows, 4);
  layout.slots = column(table, 0);
  layout.positions = column(table, 1);
  layout.tokens = column(table, 2);
  layout.logits_ids = cursor.list(step_class.logits_rows);
  layout.ring_range = cursor.table(rows, 2);
  layout.work_range = cursor.table(rows, 2);
  layout.ring_ids = cursor.list(rows);
  for (const RatioClass& ratio : classes) {
    RatioLists lists;
    // A decode row can finish a compressed row by itself; a segment of n rows finishes at most
    // ceil(n / ratio).
    lists.emissions = step_class.decode_rows +
                      static_cast<std::uint32_t>(ceil_div(step_class.prefill_rows, ratio.ratio));
    lists.visible = cursor.list(rows);
    lists.window_rows = cursor.list(rows);
    lists.pair_ids = cursor.list(rows);
    lists.emit_list = cursor.table(lists.emissions, ratio.span);
    lists.emit_positions = cursor.list(lists.emissions);
    lists.emit_ids = cursor.list(lists.emissions);
    layout.ratios.push_back(lists);
  }
  layout.words = cursor.words();
  layout.block = Cursor(block, 0).list(static_cast<std::uint32_t>(layout.words));
  return layout;
}

}  // namespace ds4
