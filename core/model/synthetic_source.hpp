#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "format/gguf_reader.hpp"
#include "model/synthetic.hpp"

namespace ds4 {

/// The tensors of a model of random weights that is no file: its head in memory, the bytes of its
/// tensors made when they are read, equal to those of the file that write_synthetic_model() makes
/// of the same spec.
///
/// Thread   immutable.
/// Life     views of head() live while the source does.
class SyntheticSource {
 public:
  /// Errors: invalid_argument, as write_synthetic_model().
  static Result<SyntheticSource> make(const SyntheticSpec& spec);

  /// The head of the file, padded to the tensor data.
  [[nodiscard]] std::span<const std::byte> head() const noexcept { return head_; }
  /// Bytes that the file would have.
  [[nodiscard]] std::uint64_t file_bytes() const noexcept { return file_bytes_; }

  /// Rows first .. first + count - 1 of a tensor of the head, count * tensor.row_bytes() bytes.
  /// Errors: not_found, out_of_memory.
  Result<void> read_rows(const TensorInfo& tensor, std::uint64_t first, std::uint64_t count,
                         std::span<std::byte> out, ThreadTeam& team) const;

 private:
  explicit SyntheticSource(const SyntheticSpec& spec) : spec_(spec) {}

  SyntheticSpec spec_;
  std::vector<std::byte> head_;
  std::uint64_t file_bytes_ = 0;
  std::unordered_map<std::string, TensorSpec> tensors_;
};

}  // namespace ds4
