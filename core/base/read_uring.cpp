// Reads by the kernel's queue.
#include "base/piece_reads.hpp"

#if defined(DS4_LIBURING)

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

namespace ds4 {
namespace {

// A read has 32 bits for its size; whole pages keep what follows aligned.
constexpr std::uint64_t kMostBytes = 1ULL << 30;
// A kernel without memory for a read is asked again for about two seconds.
constexpr std::chrono::milliseconds kPause{1};
constexpr std::uint32_t kMostTries = 2000;

class UringReads final : public PieceReads {
 public:
  UringReads(int descriptor, std::uint32_t slots) : descriptor_(descriptor), slots_(slots) {
    has_ring_ = io_uring_queue_init(slots, &ring_, 0) == 0;
  }

  ~UringReads() override {
    if (!has_ring_) return;
    // Whatever broke: as long as a read is under way, the kernel writes to memory that goes next.
    ends_ = true;
    while (in_flight_ > 0) take(wait());
    io_uring_queue_exit(&ring_);
  }

  /// The queue is older than the read.
  [[nodiscard]] bool can_read() {
    if (!has_ring_) return false;
    io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
    if (probe == nullptr) return false;
    const bool can = io_uring_opcode_supported(probe, IORING_OP_READ) != 0;
    io_uring_free_probe(probe);
    return can;
  }

  void start(std::uint32_t slot, const Piece& piece) override {
    slots_[slot] = {piece, {}, false};
    submit(slot);
  }

  Outcome finish(std::uint32_t slot) override {
    while (!slots_[slot].is_done && broken_ == 0) reap();
    if (!slots_[slot].is_done) slots_[slot].outcome.error = broken_;
    return slots_[slot].outcome;
  }

 private:
  void submit(std::uint32_t slot) {
    if (broken_ != 0) return;
    const Slot& s = slots_[slot];
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      broken_ = EIO;  // there are as many entries as slots
      return;
    }
    const std::uint64_t done = s.outcome.done;
    io_uring_prep_read(entry, descriptor_, s.piece.to + done,
                       static_cast<unsigned>(std::min(s.piece.bytes - done, kMostBytes)),
                       s.piece.offset + done);
    // Without this flag a read from the page cache is copied here and now, by the thread that
    // should compute meanwhile.
    entry->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data64(entry, slot);
    ++queued_;
    flush();
  }

  /// Gives the kernel what is queued. What it has no room for now stays for the next time.
  void flush() {
    while (queued_ > 0 && broken_ == 0) {
      const int given = io_uring_submit(&ring_);
      if (given == -EINTR) continue;
      if (given == -EAGAIN || given == -EBUSY || given == 0) return;
      if (given < 0) {
        broken_ = -given;
        return;
      }
      in_flight_ += static_cast<std::uint32_t>(given);
      queued_ -= std::min(queued_, static_cast<std::uint32_t>(given));
    }
  }

  /// Takes one completion, or has the kernel take what it had no room for.
  void reap() {
    flush();
    if (in_flight_ > 0) {
      take(wait());
      tries_ = 0;
    } else if (++tries_ > kMostTries) {
      broken_ = EAGAIN;
    } else {
      std::this_thread::sleep_for(kPause);
    }
  }

  /// The next completion. A queue that can no longer be waited for is looked at now and then.
  io_uring_cqe* wait() {
    for (;;) {
      io_uring_cqe* done = nullptr;
      if (io_uring_wait_cqe(&ring_, &done) == 0 || io_uring_peek_cqe(&ring_, &done) == 0) {
        return done;
      }
      std::this_thread::sleep_for(kPause);
    }
  }

  void take(io_uring_cqe* done) {
    const auto slot = static_cast<std::uint32_t>(io_uring_cqe_get_data64(done));
    const int got = done->res;
    io_uring_cqe_seen(&ring_, done);
    --in_flight_;
    Slot& s = slots_[slot];
    if (got > 0) s.outcome.done += static_cast<std::uint64_t>(got);
    const bool goes_on = got > 0 && s.outcome.done < s.piece.bytes;
    if ((goes_on || got == -EINTR || got == -EAGAIN) && !ends_) {
      submit(slot);
      return;
    }
    if (got < 0) s.outcome.error = -got;
    s.is_done = true;
  }

  const int descriptor_;
  io_uring ring_{};
  bool has_ring_ = false;
  int broken_ = 0;            // errno of the queue itself, which is then not used again
  std::uint32_t queued_ = 0;  // entries that the kernel has not taken
  std::uint32_t in_flight_ = 0;
  std::uint32_t tries_ = 0;  // in a row without any read under way
  bool ends_ = false;
  std::vector<Slot> slots_;
};

}  // namespace

std::unique_ptr<PieceReads> PieceReads::by_kernel(int descriptor, std::uint32_t slots) {
  auto reads = std::make_unique<UringReads>(descriptor, slots);
  if (!reads->can_read()) return nullptr;
  return reads;
}

}  // namespace ds4

#else

namespace ds4 {

std::unique_ptr<PieceReads> PieceReads::by_kernel(int, std::uint32_t) {
  return nullptr;
}

}  // namespace ds4

#endif
