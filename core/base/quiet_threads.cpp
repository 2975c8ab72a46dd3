#include "base/quiet_threads.hpp"

#include <pthread.h>
#include <signal.h>

#include <exception>

namespace ds4 {

std::vector<std::thread> start_quiet_threads(std::uint32_t count,
                                             const std::function<void(std::uint32_t)>& body) {
  std::vector<std::thread> threads;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) threads.emplace_back(body, i);
  } catch (const std::exception&) {
    // No thread, or no memory for one: the others do its share.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return threads;
}

}  // namespace ds4
