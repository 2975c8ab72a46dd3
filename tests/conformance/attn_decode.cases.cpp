#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_decode_cases(Suite& suite) {
  attention_cases(suite, DS4_OP_ATTN_DECODE, DS4_SOURCE_NONE);
  attention_cases(suite, DS4_OP_ATTN_DECODE, DS4_SOURCE_PAGES);
}

}  // namespace ds4::conformance
