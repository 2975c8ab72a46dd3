#include "validate/model_check.hpp"

namespace ds4::validate {

cli::ExitCode check_model(const cli::Console& console, const Settings&, const cli::Runtime&,
                          const plugins::Selected&) {
  console.error("--model: this version does not have the check of a real file yet");
  return cli::kUsage;
}

}  // namespace ds4::validate
