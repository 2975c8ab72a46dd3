// Reads by the kernel's queue.
#include "base/piece_reads.hpp"

#if defined(DS4_LIBURING)

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace ds4 {
namespace {

// A read has 32 bits for its size; whole pages keep what follows aligned.
constexpr std::uint64_t kMostBytes = 1ULL << 30;

class UringReads final : public PieceReads {
 public:
  UringReads(int descriptor, std::uint32_t slots) : descriptor_(descriptor), slots_(slots) {
    has_ring_ = io_uring_queue_init(slots, &ring_, 0) == 0;
  }

  ~UringReads() override {
    if (!has_ring_) return;
    while (in_flight_ > 0 && broken_ == 0) reap();
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
  struct Slot {
    Piece piece;
    Outcome outcome;
    bool is_done = false;
  };

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
    int given = 0;
    do {
      given = io_uring_submit(&ring_);
    } while (given == -EINTR || given == -EAGAIN);
    if (given < 0) {
      broken_ = -given;
    } else {
      ++in_flight_;
    }
  }

  /// Takes one completion.
  void reap() {
    io_uring_cqe* done = nullptr;
    const int status = io_uring_wait_cqe(&ring_, &done);
    if (status == -EINTR || status == -EAGAIN) return;
    if (status < 0) {
      broken_ = -status;
      return;
    }
    const auto slot = static_cast<std::uint32_t>(io_uring_cqe_get_data64(done));
    const int got = done->res;
    io_uring_cqe_seen(&ring_, done);
    --in_flight_;
    Slot& s = slots_[slot];
    if (got > 0) s.outcome.done += static_cast<std::uint64_t>(got);
    const bool goes_on = got > 0 && s.outcome.done < s.piece.bytes;
    if (goes_on || got == -EINTR || got == -EAGAIN) {
      submit(slot);
      return;
    }
    if (got < 0) s.outcome.error = -got;
    s.is_done = true;
  }

  const int descriptor_;
  io_uring ring_{};
  bool has_ring_ = false;
  int broken_ = 0;  // errno of the queue itself, which is then not used again
  std::uint32_t in_flight_ = 0;
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
