#include "base/thread_team.hpp"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "base/assert.hpp"

namespace ds4 {
namespace {

// About 20 us of spinning: longer than the gap between two ops, far shorter than a scheduling
// quantum.
constexpr int kSpins = 2000;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `word` no longer holds `old`: spins, then sleeps in the kernel.
void wait_change(const std::atomic<std::uint32_t>& word, std::uint32_t old) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    relax();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadTeam::State {
  std::uint32_t threads = 1;
  Body body = nullptr;
  void* arg = nullptr;
  bool stop = false;
  std::atomic<std::uint32_t> region{0};         // raised when a region begins
  std::atomic<std::uint32_t> arrived{0};        // threads waiting in the current barrier
  std::atomic<std::uint32_t> barrier_phase{0};  // raised when a barrier opens
  std::vector<std::thread> workers;

  void worker(std::uint32_t thread) noexcept {
    pthread_setname_np(pthread_self(), "ds4:team");
    std::uint32_t seen = 0;
    for (;;) {
      wait_change(region, seen);
      ++seen;
      if (stop) return;
      body(arg, thread, threads);
      barrier();
    }
  }

  void barrier() noexcept {
    if (threads == 1) return;
    const std::uint32_t phase = barrier_phase.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived.store(0, std::memory_order_relaxed);
      barrier_phase.fetch_add(1, std::memory_order_acq_rel);
      barrier_phase.notify_all();
    } else {
      wait_change(barrier_phase, phase);
    }
  }

  void begin_region() noexcept {
    region.fetch_add(1, std::memory_order_acq_rel);
    region.notify_all();
  }
};

ThreadTeam::ThreadTeam(std::uint32_t threads) : state_(std::make_unique<State>()) {
  DS4_ASSERT(threads >= 1);
  state_->threads = threads;
  // Signals belong to the main thread: a worker that took one would interrupt a region.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    state_->workers.reserve(threads - 1);
    for (std::uint32_t i = 1; i < threads; ++i) {
      state_->workers.emplace_back([state = state_.get(), i] { state->worker(i); });
    }
  } catch (const std::exception&) {
    // The system gives no more threads: the team is what came to be. Workers read its size only
    // after the first region begins.
    state_->threads = static_cast<std::uint32_t>(state_->workers.size()) + 1;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadTeam::~ThreadTeam() {
  state_->stop = true;
  state_->begin_region();
  for (std::thread& worker : state_->workers) worker.join();
}

std::uint32_t ThreadTeam::threads() const noexcept {
  return state_->threads;
}

void ThreadTeam::run(Body body, void* arg) noexcept {
  if (state_->threads == 1) {
    body(arg, 0, 1);
    return;
  }
  state_->body = body;
  state_->arg = arg;
  state_->begin_region();
  body(arg, 0, state_->threads);
  state_->barrier();
}

void ThreadTeam::barrier() noexcept {
  state_->barrier();
}

}  // namespace ds4
