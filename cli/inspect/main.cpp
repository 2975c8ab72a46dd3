#include "common/program_main.hpp"
#include "inspect/program.hpp"

int main(int argc, char** argv) {
  return ds4::cli::program_main(argc, argv, "ds4-inspect", &ds4::inspect::run_program);
}
