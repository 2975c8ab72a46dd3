#include "base/file_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "base/checked.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kRingBytes = 32ULL << 20;
constexpr std::uint64_t kFewestSlots = 4;
constexpr std::uint64_t kMostSlots = 8;

}  // namespace

void ReadAheadSize::add(const FileRange& range) noexcept {
  if (range.bytes == 0) return;
  largest_ = std::max(largest_, std::min(range.piece, range.bytes));
  pieces_ += (range.bytes + range.piece - 1) / range.piece;
}

std::uint32_t ReadAheadSize::slots() const noexcept {
  if (pieces_ == 0) return 0;
  const std::uint64_t fitting = kRingBytes / slot_bytes();
  return static_cast<std::uint32_t>(
      std::min(pieces_, std::clamp(fitting, kFewestSlots, kMostSlots)));
}

std::uint64_t ReadAheadSize::slot_bytes() const noexcept {
  return round_up(largest_, kPage);
}

FileReader::FileReader(std::string name, std::vector<FileRange> ranges)
    : name_(std::move(name)), ranges_(std::move(ranges)) {
  for (const FileRange& range : ranges_) {
    DS4_ASSERT(range.bytes == 0 || range.piece > 0);
    size_.add(range);
  }
  pieces_.resize(size_.slots());
}

Result<std::unique_ptr<FileReader>> FileReader::open(int descriptor, std::string name,
                                                     std::vector<FileRange> ranges,
                                                     ReadEngine engine, ReadFunction read) {
  std::unique_ptr<FileReader> reader(new FileReader(std::move(name), std::move(ranges)));
  const std::uint32_t slots = reader->size_.slots();
  if (slots == 0) return reader;
  reader->ring_.emplace(reader->size_.bytes());
  if (!reader->ring_->is_there()) {
    return fail(Errc::out_of_memory, reader->name_, ": no memory for ", reader->size_.bytes(),
                " bytes to read ahead");
  }
  if (engine != ReadEngine::threads) {
    reader->reads_ = PieceReads::by_kernel(descriptor, slots);
    reader->engine_ = ReadEngine::io_uring;
    if (reader->reads_ == nullptr && engine == ReadEngine::io_uring) {
      return fail(Errc::unsupported, reader->name_,
                  ": io_uring was asked for; this build, kernel or container has none");
    }
  }
  if (reader->reads_ == nullptr) {
    reader->reads_ = PieceReads::by_threads(descriptor, slots, read);
    reader->engine_ = ReadEngine::threads;
  }
  while (reader->start_next()) {
  }
  return reader;
}

/// Starts the next piece if there is one and a slot for it.
bool FileReader::start_next() {
  while (range_ < ranges_.size() && at_ == ranges_[range_].bytes) {
    ++range_;
    at_ = 0;
  }
  if (range_ == ranges_.size() || started_ - handed_ == pieces_.size()) return false;
  const FileRange& range = ranges_[range_];
  const auto slot = static_cast<std::uint32_t>(started_ % pieces_.size());
  pieces_[slot] = {ring_->data() + slot * size_.slot_bytes(), range.offset + at_,
                   std::min(range.piece, range.bytes - at_)};
  reads_->start(slot, pieces_[slot]);
  at_ += pieces_[slot].bytes;
  ++started_;
  return true;
}

Result<void> FileReader::check(const PieceReads::Piece& piece,
                               const PieceReads::Outcome& outcome) const {
  if (outcome.error != 0) {
    return fail(Errc::io, name_, ": cannot read ", piece.bytes - outcome.done, " bytes at ",
                piece.offset + outcome.done, ": ", std::strerror(outcome.error),
                "; the disk may be failing (the system's log says more): put the file elsewhere "
                "and start again");
  }
  if (outcome.done < piece.bytes) {
    return fail(Errc::io, name_, ": the file ended at byte ", piece.offset + outcome.done, ", ",
                piece.bytes, " bytes at ", piece.offset,
                " were wanted: it was cut after it was opened; make it whole and start again");
  }
  return {};
}

Result<std::span<const std::byte>> FileReader::next() {
  if (failed_) return *failed_;
  if (is_handed_) ++handed_;
  is_handed_ = false;
  while (start_next()) {
  }
  if (handed_ == started_) return std::span<const std::byte>();
  const auto slot = static_cast<std::uint32_t>(handed_ % pieces_.size());
  const PieceReads::Piece& piece = pieces_[slot];
  if (auto done = check(piece, reads_->finish(slot)); !done) {
    failed_ = done.error();
    return *failed_;
  }
  is_handed_ = true;
  return std::span<const std::byte>(piece.to, piece.bytes);
}

}  // namespace ds4
