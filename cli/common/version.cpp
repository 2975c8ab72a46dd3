#include "common/version.hpp"

#include "common/build_info.hpp"

namespace ds4::cli {

std::string version_line(std::string_view program) {
  std::string line(program);
  line.append(" ").append(kVersion).append(" (commit ").append(kCommit).append(", ");
  line.append(kBuildType).append(", ").append(kCompiler).append("), backends built: ");
  return line.append(kBackends);
}

}  // namespace ds4::cli
