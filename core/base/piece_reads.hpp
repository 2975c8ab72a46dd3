#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ds4 {

/// pread(2), or what a test puts in its place.
using ReadFunction = ssize_t (*)(int descriptor, void* to, std::size_t bytes, off_t offset);

/// Reads of a file that run while the caller does something else. Each has a slot; slots are
/// numbered from 0, and a slot has one read at a time.
///
/// Thread   one caller.
/// Life     the destructor waits for the reads in flight: what they write to outlives the object.
class PieceReads {
 public:
  struct Piece {
    std::byte* to = nullptr;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  /// A read that ended early with no error met the end of the file.
  struct Outcome {
    std::uint64_t done = 0;
    int error = 0;  ///< of errno
  };

  PieceReads() = default;
  virtual ~PieceReads() = default;
  PieceReads(const PieceReads&) = delete;
  PieceReads& operator=(const PieceReads&) = delete;

  /// Never waits for the disk.
  virtual void start(std::uint32_t slot, const Piece& piece) = 0;
  /// Waits for the read of a slot. Interrupted and short reads have been gone on with.
  virtual Outcome finish(std::uint32_t slot) = 0;

  /// Threads that call `read`. Where the system refuses threads, finish() reads.
  static std::unique_ptr<PieceReads> by_threads(int descriptor, std::uint32_t slots,
                                                ReadFunction read);
  /// The kernel's queue. Null where this build, the kernel or the container has none.
  static std::unique_ptr<PieceReads> by_kernel(int descriptor, std::uint32_t slots);

 protected:
  struct Slot {
    Piece piece;
    Outcome outcome;
    bool is_done = false;
  };
};

}  // namespace ds4
