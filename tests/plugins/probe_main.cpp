// The program that probes run in the tests of the loader.
#include "loader/probe.hpp"

int main(int argc, char** argv) {
  return ds4::plugins::run_probe_verb(argc, argv).value_or(2);
}
