#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "model/counter_rng.hpp"
#include "model/synthetic.hpp"
#include "model/synthetic_blocks.hpp"

namespace ds4::synthetic {

/// Makes any rows of one tensor of a synthetic model, in file order and stored form. What a row
/// holds depends on the spec, the tensor's name and the row's number only: a file written and a
/// model made in memory are the same bytes, whatever the pieces and the threads.
///
/// Thread   immutable.
class TensorMaker {
 public:
  /// Errors: invalid_argument when a row does not consist of whole blocks of its type.
  static Result<TensorMaker> make(const SyntheticSpec& spec, const TensorSpec& tensor);

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return row_bytes_; }

  /// Rows first .. first + count - 1; out has count * row_bytes() bytes, shared out over the team.
  /// Errors: out_of_memory.
  Result<void> fill(std::uint64_t first, std::uint64_t count, std::span<std::byte> out,
                    ThreadTeam& team) const;

 private:
  TensorMaker(const CounterRng& rng) : rng_(rng) {}
  void fill_part(std::uint64_t first, std::uint64_t count, std::byte* out) const;
  void fill_table(std::uint64_t first, std::uint64_t count, std::byte* out) const;
  void fill_values(std::uint64_t first, std::uint64_t count, std::byte* out) const;

  CounterRng rng_;
  Dtype dtype_ = Dtype::f32;
  std::uint64_t columns_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t row_bytes_ = 0;
  std::uint32_t experts_ = 0;  // of a table
  ValueRule rule_{0, 0};
  std::shared_ptr<const BlockMaker> blocks_;  // null: values are encoded
};

}  // namespace ds4::synthetic
