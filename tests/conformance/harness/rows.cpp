#include "tests/conformance/harness/rows.hpp"

#include <algorithm>

#include "ops/views.hpp"

namespace ds4::conformance {
namespace {

RowCase all_rows(std::uint32_t rows, Values values = Values::normal, const char* note = "") {
  RowCase result;
  result.label = std::to_string(rows) + " rows" + note;
  result.rows = rows;
  result.decode_rows = rows;
  result.range = range_all(rows);
  result.count = rows;
  result.tile_rows = rows;
  result.values = values;
  return result;
}

RowCase mixed(const char* label, std::uint32_t rows, ds4_range range, std::uint32_t first,
              std::uint32_t count) {
  RowCase result;
  result.label = label;
  result.rows = rows;
  result.decode_rows = 3;
  result.prefill_rows = 5;
  result.range = range;
  result.first = first;
  result.count = count;
  result.tile_rows = rows;
  return result;
}

RowCase tile(const char* label, std::uint32_t begin, std::uint32_t count) {
  RowCase result = mixed(label, 12, {4, DS4_STEP_ROWS, begin, DS4_SLOT_NONE}, begin, count);
  result.tile_first = begin;
  result.tile_rows = 4;
  return result;
}

RowCase no_rows() {
  RowCase result = all_rows(4);
  result.label = "no rows";
  result.decode_rows = 0;
  result.range = range_counted(4, DS4_STEP_ROWS);
  result.count = 0;
  return result;
}

RowCase apart() {
  RowCase result = mixed("8 rows that lie apart", 10, range_counted(10, DS4_STEP_ROWS), 0, 8);
  result.gap = 8;
  return result;
}

RowCase padded() {
  return mixed("3 + 5 rows of 10", 10, range_counted(10, DS4_STEP_ROWS), 0, 8);
}
RowCase prefill() {
  return mixed("the 5 prefill rows", 10, range_prefill(7), 3, 5);
}

}  // namespace

std::vector<RowCase> row_grid() {
  return {all_rows(1),
          all_rows(2),
          all_rows(3),
          all_rows(5),
          all_rows(17),
          padded(),
          prefill(),
          apart(),
          mixed("the 3 decode rows", 10, range_counted(10, DS4_STEP_DECODE_ROWS), 0, 3),
          tile("a full tile", 4, 4),
          tile("a tile beyond the last row", 8, 0),
          tile("a tile with 2 rows", 6, 2),
          no_rows(),
          all_rows(2, Values::zero, " of zeros"),
          all_rows(3, Values::large, " of large values")};
}

std::vector<RowCase> short_row_grid() {
  return {all_rows(1), all_rows(5), padded(), prefill(), apart(), tile("a tile with 2 rows", 6, 2)};
}

std::vector<RowCase> wide_row_grid() {
  std::vector<RowCase> grid = row_grid();
  for (const std::uint32_t rows : {4U, 7U, 8U, 9U, 15U, 16U, 31U, 32U, 33U, 64U, 65U}) {
    grid.push_back(all_rows(rows));
  }
  grid.push_back(all_rows(3, Values::equal, " of equal values"));
  grid.push_back(all_rows(3, Values::powers, " of powers of two"));
  grid.push_back(all_rows(3, Values::sparse, " of few values"));
  grid.push_back(all_rows(3, Values::tiny, " of tiny values"));
  return grid;
}

std::vector<RowCase> model_row_grid(const std::vector<std::uint32_t>& counts) {
  constexpr std::uint32_t kMostDecodeRows = 8;
  const auto of = [](std::uint32_t count) {
    RowCase rows = all_rows(count);
    if (count <= kMostDecodeRows) return rows;
    rows.label.append(" of a prefill");
    rows.decode_rows = 0;
    rows.prefill_rows = count;
    rows.range = range_prefill(count);
    return rows;
  };
  std::vector<RowCase> grid;
  if (counts.empty()) {
    for (const std::uint32_t count : {1U, 2U, 3U, 5U, 8U, 17U, 64U}) grid.push_back(of(count));
    grid.push_back(padded());
  }
  for (const std::uint32_t count : counts) grid.push_back(of(count));
  return grid;
}

RowCase random_rows(Random& random, std::uint32_t most) {
  RowCase result;
  const std::uint32_t held = 1 + random.below(std::max(most, 1U));
  result.rows = held + random.below(3);  // padding behind
  result.decode_rows = random.below(held + 1);
  result.prefill_rows = held - result.decode_rows;
  result.tile_rows = result.rows;
  switch (random.below(4)) {
    case 0:
      result.range = range_all(result.rows);
      result.count = result.rows;
      break;
    case 1:
      result.range = range_prefill(result.prefill_rows);
      result.first = result.decode_rows;
      result.count = result.prefill_rows;
      break;
    case 2: {
      const std::uint32_t begin = random.below(result.rows);
      const std::uint32_t rest = result.rows - begin;
      result.range = {rest, DS4_STEP_ROWS, begin, DS4_SLOT_NONE};
      result.first = begin;
      result.count = held > begin ? held - begin : 0;
      result.tile_first = begin;
      result.tile_rows = rest;
      break;
    }
    default:
      result.range = range_counted(result.rows, DS4_STEP_ROWS);
      result.count = held;
      break;
  }
  result.gap = random.below(3) == 0 ? 8 * random.below(3) : 0;
  constexpr Values kValues[] = {Values::normal, Values::normal, Values::large,  Values::powers,
                                Values::sparse, Values::equal,  Values::normal, Values::zero};
  result.values = kValues[random.below(8)];
  result.label = std::to_string(result.decode_rows) + " + " + std::to_string(result.prefill_rows) +
                 " of " + std::to_string(result.rows) + " rows at random";
  return result;
}

}  // namespace ds4::conformance
