#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "bench/program.hpp"
#include "loader/probe.hpp"

int main(int argc, char** argv) {
  if (const auto status = ds4::plugins::run_probe_verb(argc, argv)) return *status;
  // A reader of our output that went away is an error of a write, not the end of the process.
  (void)std::signal(SIGPIPE, SIG_IGN);
  try {
    return ds4::bench::run_program(
        std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "ds4-bench: %s\n", error.what());
    return ds4::cli::kFailure;
  }
}
