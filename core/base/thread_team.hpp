#pragma once

#include <cstdint>
#include <memory>

namespace ds4 {

/// The one thread pool of a runtime: a fixed team that runs one region at a time.
///
/// A region calls fn(arg, thread, threads) once on every thread of the team, thread 0 being the
/// caller. Inside a region, barrier() waits for all of them. Partitions are static, so results
/// never depend on timing. Threads spin briefly, then sleep, so an idle team costs nothing.
class ThreadTeam {
 public:
  using Body = void (*)(void* arg, std::uint32_t thread, std::uint32_t threads);

  /// threads >= 1; 1 starts no thread. Where the system refuses threads the team is smaller: ask
  /// threads(). Worker threads block all signals and are named "ds4:team".
  explicit ThreadTeam(std::uint32_t threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  [[nodiscard]] std::uint32_t threads() const noexcept;

  /// Runs one region and returns when every thread has left it. Called from one thread at a time,
  /// never from inside a region. `body` must not throw.
  void run(Body body, void* arg) noexcept;

  /// Inside a region: waits until every thread of the team has called it.
  void barrier() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ds4
