// Reads by a few threads of their own.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/piece_reads.hpp"
#include "base/quiet_threads.hpp"

namespace ds4 {
namespace {

// Enough to keep a disk's queue filled and to copy from the page cache while others compute.
constexpr std::uint32_t kThreads = 4;

class ThreadReads final : public PieceReads {
 public:
  ThreadReads(int descriptor, std::uint32_t slots, ReadFunction read)
      : descriptor_(descriptor), read_(read), slots_(slots) {
    waiting_.reserve(slots);
    // However few there are: finish() takes what no thread has begun.
    threads_ = start_quiet_threads(std::min(slots, kThreads), [this](std::uint32_t) { work(); });
  }

  ~ThreadReads() override {
    {
      const std::lock_guard lock(mutex_);
      stops_ = true;
    }
    begun_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void start(std::uint32_t slot, const Piece& piece) override {
    {
      const std::lock_guard lock(mutex_);
      slots_[slot] = {piece, {}, false};
      waiting_.push_back(slot);
    }
    begun_.notify_one();
  }

  Outcome finish(std::uint32_t slot) override {
    std::unique_lock lock(mutex_);
    const auto waiting = std::find(waiting_.begin(), waiting_.end(), slot);
    if (waiting != waiting_.end()) {
      waiting_.erase(waiting);
      const Piece piece = slots_[slot].piece;
      lock.unlock();
      return read_whole(piece);
    }
    done_.wait(lock, [&] { return slots_[slot].is_done; });
    return slots_[slot].outcome;
  }

 private:
  void work() noexcept {
    pthread_setname_np(pthread_self(), "ds4:read");
    std::unique_lock lock(mutex_);
    for (;;) {
      begun_.wait(lock, [this] { return stops_ || !waiting_.empty(); });
      if (stops_) return;
      const std::uint32_t slot = waiting_.front();
      waiting_.erase(waiting_.begin());
      const Piece piece = slots_[slot].piece;
      lock.unlock();
      const Outcome outcome = read_whole(piece);
      lock.lock();
      slots_[slot].outcome = outcome;
      slots_[slot].is_done = true;
      done_.notify_one();
    }
  }

  [[nodiscard]] Outcome read_whole(const Piece& piece) const noexcept {
    Outcome out;
    while (out.done < piece.bytes) {
      const ssize_t got = read_(descriptor_, piece.to + out.done, piece.bytes - out.done,
                                static_cast<off_t>(piece.offset + out.done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) out.error = errno;
      if (got <= 0) break;
      out.done += static_cast<std::uint64_t>(got);
    }
    return out;
  }

  const int descriptor_;
  const ReadFunction read_;
  std::mutex mutex_;
  std::condition_variable begun_;  // a read waits for a thread, or all is over
  std::condition_variable done_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> waiting_;  // slots that no thread has taken, oldest first
  bool stops_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<PieceReads> PieceReads::by_threads(int descriptor, std::uint32_t slots,
                                                   ReadFunction read) {
  return std::make_unique<ThreadReads>(descriptor, slots, read != nullptr ? read : ::pread);
}

}  // namespace ds4
