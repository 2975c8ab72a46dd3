#include "common/interrupt.hpp"

#include <csignal>

namespace ds4::cli {
namespace {

// A signal handler can reach nothing but a global.
volatile std::sig_atomic_t interrupt_raised = 0;

extern "C" void on_interrupt(int) {
  interrupt_raised = 1;
}

}  // namespace

InterruptGuard::InterruptGuard(SecondInterrupt second) {
  clear();
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // Without SA_RESTART a read that waits for a line comes back and can be abandoned.
  action.sa_flags = second == SecondInterrupt::kills ? static_cast<int>(SA_RESETHAND) : 0;
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  (void)std::signal(SIGINT, SIG_DFL);
}

bool InterruptGuard::raised() noexcept {
  return interrupt_raised != 0;
}

void InterruptGuard::clear() noexcept {
  interrupt_raised = 0;
}

}  // namespace ds4::cli
