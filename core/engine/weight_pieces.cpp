#include "engine/weight_pieces.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace ds4 {
namespace {

// A device may prefer whole tensors; a ring of such pieces could be larger than the weights.
constexpr std::uint64_t kMostPreferred = 64ULL << 20;
// What kernels take at once is some rows: pieces of whole tiles are not cut again where rows are
// short enough for it.
constexpr std::uint64_t kTileRows = 64;

Result<std::uint64_t> target_row(const TensorInfo& tensor, const WeightChoice& choice) {
  return row_bytes(static_cast<Dtype>(choice.desc.dtype), tensor.dims[0]);
}

/// Whole rows of which none is longer than `row`, within `bytes`; at least one.
std::uint64_t rows_in(std::uint64_t bytes, std::uint64_t row) {
  const std::uint64_t rows = std::max<std::uint64_t>(1, bytes / std::max<std::uint64_t>(1, row));
  return rows < kTileRows ? rows : rows - rows % kTileRows;
}

}  // namespace

Result<std::uint64_t> piece_bytes(const ModelFile& model, const TensorInfo& tensor,
                                  const WeightChoice& choice) {
  const std::uint64_t row = tensor.row_bytes();
  const std::uint64_t preferred = choice.answer.chunk_bytes;
  std::uint64_t piece =
      preferred <= kMostPreferred ? preferred : rows_in(kMostPreferred, row) * row;
  if (choice.is_converted) {
    DS4_TRY(const std::uint64_t target, target_row(tensor, choice));
    piece = rows_in(kImportChunkBytes, std::max(row, target)) * row;
  } else if (model.gguf().file() == nullptr) {
    piece = rows_in(std::max(kMadeChunkBytes, preferred), row) * row;
  } else if (preferred == 0) {
    piece = rows_in(kImportChunkBytes, row) * row;
  }
  return std::min(piece, tensor.bytes);
}

Result<void> LoadMemory::add(const ModelFile& model, const TensorInfo& tensor,
                             const WeightChoice& choice) {
  DS4_TRY(const std::uint64_t piece, piece_bytes(model, tensor, choice));
  if (model.gguf().file() != nullptr) {
    read_ahead_.add({tensor.offset, tensor.bytes, piece});
  } else {
    made_ = std::max(made_, piece);
  }
  if (!choice.is_converted) return {};
  DS4_TRY(const std::uint64_t target, target_row(tensor, choice));
  const std::uint64_t rows = piece / tensor.row_bytes();
  converted_ = std::max(converted_, rows * target + tensor.dims[0] * sizeof(float));
  return {};
}

std::uint64_t LoadMemory::bytes() const noexcept {
  return read_ahead_.bytes() + made_ + converted_;
}

WeightPieces::WeightPieces(const ModelFile& model, std::uint32_t threads) : model_(model) {
  if (model.gguf().file() == nullptr) team_.emplace(threads);
}

void WeightPieces::add(const TensorInfo& tensor, std::uint64_t piece) {
  ranges_.push_back({tensor.offset, tensor.bytes, piece});
  largest_ = std::max(largest_, piece);
}

Result<void> WeightPieces::open() {
  const MappedFile* const file = model_.gguf().file();
  if (file == nullptr) {
    made_.reserve(largest_);
    return {};
  }
  DS4_TRY(reader_, FileReader::open(file->descriptor(), model_.gguf().name(), std::move(ranges_)));
  return {};
}

Result<std::span<const std::byte>> WeightPieces::next(const TensorInfo& tensor, std::uint64_t at,
                                                      std::uint64_t piece) {
  const std::uint64_t wanted = std::min(piece, tensor.bytes - at);
  if (reader_ != nullptr) {
    DS4_TRY(const std::span<const std::byte> bytes, reader_->next());
    DS4_ASSERT(bytes.size() == wanted);
    return bytes;
  }
  const std::uint64_t row = tensor.row_bytes();
  made_.resize(wanted);
  DS4_CHECK(model_.read_rows(tensor, at / row, wanted / row, made_, *team_));
  return std::span<const std::byte>(made_);
}

}  // namespace ds4
