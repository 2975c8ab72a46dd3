#include "common/program_main.hpp"
#include "run/program.hpp"

int main(int argc, char** argv) {
  return ds4::cli::program_main(argc, argv, "ds4-run", &ds4::run::run_program);
}
