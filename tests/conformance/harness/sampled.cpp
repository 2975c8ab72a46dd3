#include <cmath>
#include <cstring>

#include "ops/row_codec.hpp"
#include "tests/conformance/harness/case.hpp"

// Which rows of a case are judged by its formula, and what the others are asked for.

namespace ds4::conformance {

/// All rows, and all ids; of values of a model's size the rows at the ends and four between them,
/// drawn one from each quarter, because a formula in double takes seconds for some.
std::vector<bool> Case::judged_rows(const Check& check, std::size_t rows) const {
  constexpr std::size_t kDrawn = 4;
  if (!options_.is_model || !check.expected) return std::vector<bool>(rows, true);
  const std::uint32_t first = check.tensor->view.first_row;
  std::vector<std::size_t> written;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = i + first;
    if (check.written ? check.written(row) : rows_.contains(static_cast<std::uint32_t>(row))) {
      written.push_back(i);
    }
  }
  std::vector<bool> judged(rows, false);
  if (written.empty()) return judged;
  judged[written.front()] = judged[written.back()] = true;
  Random random = sizes_;  // a copy: the same rows of every output of the case
  for (std::size_t k = 0; k < kDrawn; ++k) {
    const std::size_t begin = k * written.size() / kDrawn;
    const std::size_t end = (k + 1) * written.size() / kDrawn;
    if (begin == end) continue;
    judged[written[begin + random.below(static_cast<std::uint32_t>(end - begin))]] = true;
  }
  return judged;
}

/// No value is what the memory held before, or what no code stands for.
Result<void> Case::check_present(const Check& check, std::size_t index,
                                 const std::byte* got) const {
  const ds4_view& view = check.tensor->view;
  const std::size_t row = index + view.first_row;
  const std::uint32_t outermost = check.tensor->is_storage ? view.rank - 1 : 1;
  std::size_t columns = 1;
  for (std::uint32_t axis = outermost; axis < view.rank; ++axis) columns *= view.extent[axis];
  if (check.columns) columns = check.columns(row);
  const std::size_t width = view_width(view);
  const std::size_t bytes = view_row_bytes(view.dtype, view_width(view), view.row_tail).value_or(0);
  for (std::size_t vector = 0; vector * width < columns; ++vector) {
    const std::vector<float> values =
        decode_view_row(view.dtype, view_width(view), view.row_tail, got + vector * bytes);
    for (std::size_t c = 0; c < width && vector * width + c < columns; ++c) {
      if (std::isfinite(values[c])) continue;
      return fail(Errc::internal, check.name, "[", row, ", ", vector * width + c, "]: got ",
                  values[c]);
    }
  }
  return {};
}

}  // namespace ds4::conformance
