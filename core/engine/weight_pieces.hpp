#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/file_reader.hpp"
#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "engine/weight_choice.hpp"
#include "model/model_file.hpp"

namespace ds4 {

/// Bytes of one write to a device that prefers none. Large enough to hide the cost of a call, small
/// enough that a converted chunk stays in cache.
inline constexpr std::uint64_t kImportChunkBytes = 4ULL << 20;
/// Tensors that are made are made in pieces that give every thread of a large team some rows.
inline constexpr std::uint64_t kMadeChunkBytes = 16ULL << 20;

/// Bytes of a tensor that are handed over at once: what the device prefers; whole rows where
/// tensors are made or converted, and where it makes no difference to the device.
/// `choice` is not one in place. Errors: bad_file for a type without rows.
[[nodiscard]] Result<std::uint64_t> piece_bytes(const ModelFile& model, const TensorInfo& tensor,
                                                const WeightChoice& choice);

/// Host memory that loading weights takes, counted weight by weight before anything is loaded.
class LoadMemory {
 public:
  /// A weight that is not in place. Errors: those of piece_bytes.
  Result<void> add(const ModelFile& model, const TensorInfo& tensor, const WeightChoice& choice);
  [[nodiscard]] std::uint64_t bytes() const noexcept;

 private:
  ReadAheadSize read_ahead_;
  std::uint64_t made_ = 0;
  std::uint64_t converted_ = 0;
};

/// The bytes of tensors, in the order in which they were added, piece by piece: of a file they are
/// read ahead of their use, tensors of a model without one are made as they are asked for.
///
/// Thread   one caller. The model outlives the object.
class WeightPieces {
 public:
  /// `threads` make tensors, where they are made.
  WeightPieces(const ModelFile& model, std::uint32_t threads);

  /// Before open().
  void add(const TensorInfo& tensor, std::uint64_t piece);
  /// Starts reading. Errors: those of FileReader::open.
  Result<void> open();
  /// Of the tensor whose turn it is, the piece from `at` on; valid until the next call.
  /// Errors: those of FileReader::next and ModelFile::read_rows.
  Result<std::span<const std::byte>> next(const TensorInfo& tensor, std::uint64_t at,
                                          std::uint64_t piece);

 private:
  const ModelFile& model_;
  std::vector<FileRange> ranges_;
  std::uint64_t largest_ = 0;  // piece
  std::unique_ptr<FileReader> reader_;
  std::optional<ThreadTeam> team_;  // where tensors are made
  std::vector<std::byte> made_;     // one piece of a tensor that is made
};

}  // namespace ds4
