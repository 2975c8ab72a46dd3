#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ds4/ops.h"
#include "tests/conformance/harness/random.hpp"

namespace ds4::conformance {

/// What the values of the inputs look like.
enum class Values {
  normal,
  zero,
  large,   ///< 1e4 times normal
  equal,   ///< all the same: every order is a tie
  powers,  ///< +-2^-5 .. 2^3: sums are exact, ties are frequent
  sparse,  ///< mostly +0 and -0
  tiny,    ///< 1e-30 times normal: products are denormal or vanish
};

/// One choice of rows: what the step block says, which range the op has, and how outputs are
/// placed.
struct RowCase {
  std::string label;
  std::uint32_t rows = 0;  ///< rows that the views hold, padding included
  std::uint32_t decode_rows = 0;
  std::uint32_t prefill_rows = 0;
  ds4_range range{};
  std::uint32_t first = 0;  ///< what the range means for this step
  std::uint32_t count = 0;
  std::uint32_t tile_first = 0;  ///< first_row of outputs
  std::uint32_t tile_rows = 0;   ///< rows of outputs
  std::uint32_t gap = 0;         ///< values between the rows of outputs
  Values values = Values::normal;

  [[nodiscard]] bool contains(std::uint32_t row) const noexcept {
    return row >= first && row < first + count;
  }
};

/// 1, 2, 3, 5 and 17 rows; decode and prefill together, each alone, with padding; tiles; rows that
/// lie apart; no rows; inputs of zeros and of large values.
[[nodiscard]] std::vector<RowCase> row_grid();

/// More kinds of values and row counts around tiles.
[[nodiscard]] std::vector<RowCase> wide_row_grid();

/// Rows of a model's steps: up to 8 rows of sessions that decode, more as a prefill segment. Empty:
/// 1, 2, 3, 5 and 8 decode rows, 17 and 64 prefill rows, and both together with padding.
[[nodiscard]] std::vector<RowCase> model_row_grid(const std::vector<std::uint32_t>& counts);

/// Rows of a step at random: 1 to `most` of them, any range, any kind of values.
[[nodiscard]] RowCase random_rows(Random& random, std::uint32_t most);

/// A few of row_grid() that differ most: for ops whose other choices multiply.
[[nodiscard]] std::vector<RowCase> short_row_grid();

}  // namespace ds4::conformance
