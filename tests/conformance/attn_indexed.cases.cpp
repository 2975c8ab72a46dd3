#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_indexed_cases(Suite& suite) {
  attention_cases(suite, DS4_OP_ATTN_INDEXED, DS4_SOURCE_LIST);
}

}  // namespace ds4::conformance
