#include "common/program_main.hpp"
#include "validate/program.hpp"

int main(int argc, char** argv) {
  return ds4::cli::program_main(argc, argv, "ds4-validate", &ds4::validate::run_program);
}
