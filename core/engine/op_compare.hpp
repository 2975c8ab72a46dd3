#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "engine/op_outputs.hpp"

namespace ds4 {

// How near the outputs of an op on two backends must be, both from the same input: for programs
// that judge a backend by whole layers and for the shadow of an engine alike (docs/validate.md).

/// Limits of the relative distance (2-norm) of a row (model.md 9).
inline constexpr double kSingleLimit = 1e-4;   ///< of f32 paths: some 100 times what is usual
inline constexpr double kReducedLimit = 3e-2;  ///< int8 activations or half products
/// Of a row that is rounded to codes, at reduced precision: neighbouring codes lie far apart.
inline constexpr double kReducedCodesLimit = 0.15;
/// Share of codes of a rounded row that may differ on a float path.
inline constexpr double kFlipLimit = 1e-2;
/// Legal divergence of a choice, by the margin of scores (model.md 9).
inline constexpr double kExpertMargin = 1e-4;
inline constexpr double kReducedMargin = 5e-2;

/// A row of an output, and its value that is furthest off.
struct RowDistance {
  std::uint64_t row = 0;
  std::uint64_t value = 0;  ///< index in the row
  double wanted = 0;
  double got = 0;
  double error = 0;  ///< of the row; infinity where bits or kinds of values must be equal
  double limit = 0;
};

/// Compares the rows of one output and keeps what was worst.
class OutputComparison {
 public:
  OutputComparison(const OpOutput& output, double tolerance_scale);

  /// One row as both sides have it, from its first byte. `count`: how many of its values have a
  /// meaning; all without it.
  void add(std::uint64_t row, std::span<const std::byte> wanted, std::span<const std::byte> got,
           std::optional<std::uint32_t> count = {});

  [[nodiscard]] bool is_wrong() const noexcept { return wrong_.has_value(); }
  /// Some row is beyond a float path, within reduced precision.
  [[nodiscard]] bool is_reduced() const noexcept { return is_reduced_; }
  /// The row with the greatest error; before any differs, row 0 with the limit that holds.
  [[nodiscard]] const RowDistance& worst() const noexcept { return worst_; }
  /// Of the rows out of tolerance, the one furthest off; only if is_wrong().
  [[nodiscard]] const RowDistance& wrong() const noexcept { return *wrong_; }

 private:
  void add_exact(std::uint64_t row, std::span<const std::byte> wanted,
                 std::span<const std::byte> got);
  [[nodiscard]] std::vector<float> values(std::span<const std::byte> row) const;

  Nearness nearness_;
  std::uint32_t dtype_;
  ViewRows rows_;
  double scale_;
  RowDistance worst_;
  std::optional<RowDistance> wrong_;
  bool is_reduced_ = false;
};

/// The score by which an expert was chosen, from the input that both sides had; infinity for an id
/// that names none.
using ChoiceScore = std::function<double(std::int32_t id)>;

/// By how much two choices of one row differ: the margin of scores between what only one of them
/// chose, or between ids that change places. 0 when they are equal; infinity when ids repeat.
[[nodiscard]] double choice_margin(std::span<const std::int32_t> wanted,
                                   std::span<const std::int32_t> got, const ChoiceScore& score);

/// "3.1e-05".
[[nodiscard]] std::string short_number(double value);

}  // namespace ds4
