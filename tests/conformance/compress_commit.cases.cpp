#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void compress_commit_cases(Suite& suite) {
  commit_cases(suite, DS4_OP_COMPRESS_COMMIT, DS4_DTYPE_F32);
}

}  // namespace ds4::conformance
