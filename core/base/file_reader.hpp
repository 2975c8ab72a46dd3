#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/anonymous_pages.hpp"
#include "base/piece_reads.hpp"
#include "base/result.hpp"

namespace ds4 {

/// Who reads.
enum class ReadEngine {
  best,      ///< io_uring where it can be had, else threads
  io_uring,  ///< or an error
  threads,
};

/// A part of a file, read in pieces of `piece` bytes of which the last one may be shorter.
struct FileRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t piece = 0;
};

/// What read-ahead holds in memory, counted piece by piece before anything is read.
class ReadAheadSize {
 public:
  void add(const FileRange& range) noexcept;
  /// Pieces in memory at once: enough to fill a disk's queue, fewer of large ones.
  [[nodiscard]] std::uint32_t slots() const noexcept;
  /// Bytes of one slot: the largest piece in whole pages.
  [[nodiscard]] std::uint64_t slot_bytes() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return slots() * slot_bytes(); }

 private:
  std::uint64_t largest_ = 0;
  std::uint64_t pieces_ = 0;
};

/// Reads parts of a file ahead of their use: the pieces come in the order of the ranges, and the
/// next ones are read into a ring of slots while the caller works on one.
///
/// Reads go through the page cache, so what was read before is not read from the disk again.
///
/// Thread   one caller.
/// Life     the destructor waits for the reads in flight, however far the caller came. The
///          descriptor outlives the reader.
class FileReader {
 public:
  /// `name` appears in errors. `read` stands for pread in threads; null: pread.
  /// Errors: out_of_memory (the ring); unsupported (io_uring was asked for and cannot be had).
  static Result<std::unique_ptr<FileReader>> open(int descriptor, std::string name,
                                                  std::vector<FileRange> ranges,
                                                  ReadEngine engine = ReadEngine::best,
                                                  ReadFunction read = nullptr);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  /// The next piece, valid until the next call; empty after the last one.
  /// Errors: io, naming the file, the place and the system's reason, or where the file ended; the
  /// same again for every later call.
  Result<std::span<const std::byte>> next();

  /// Which one it is; never `best`.
  [[nodiscard]] ReadEngine engine() const noexcept { return engine_; }

 private:
  FileReader(std::string name, std::vector<FileRange> ranges);
  bool start_next();
  [[nodiscard]] Result<void> check(const PieceReads::Piece& piece,
                                   const PieceReads::Outcome& outcome) const;

  std::string name_;
  std::vector<FileRange> ranges_;
  ReadAheadSize size_;
  ReadEngine engine_ = ReadEngine::threads;
  std::optional<AnonymousPages> ring_;
  std::vector<PieceReads::Piece> pieces_;  // by slot
  std::size_t range_ = 0;                  // where the next piece to start begins
  std::uint64_t at_ = 0;
  std::uint64_t started_ = 0;  // pieces; piece i is in slot i % slots
  std::uint64_t handed_ = 0;   // pieces that the caller is done with
  bool is_handed_ = false;     // the caller has piece `handed_`
  std::optional<Error> failed_;
  std::unique_ptr<PieceReads> reads_;  // the last member: it ends before what it writes to
};

}  // namespace ds4
