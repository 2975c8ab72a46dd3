#include "bench/program.hpp"
#include "common/program_main.hpp"

int main(int argc, char** argv) {
  return ds4::cli::program_main(argc, argv, "ds4-bench", &ds4::bench::run_program);
}
