#include "common/program_main.hpp"

#include <csignal>
#include <cstdio>
#include <exception>

#include "loader/probe.hpp"

namespace ds4::cli {

int program_main(int argc, char** argv, const char* name,
                 const std::function<ExitCode(std::vector<std::string>)>& run) {
  if (const auto status = plugins::run_probe_verb(argc, argv)) return *status;
  // A reader of our output that went away, and a file that may not grow (ulimit -f), are errors of
  // a write, not the end of the process.
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "%s: %s\n", name, error.what());
    return kFailure;
  }
}

}  // namespace ds4::cli
