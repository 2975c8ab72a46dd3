#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_prefill_mixed_cases(Suite& suite) {
  attention_cases(suite, DS4_OP_ATTN_PREFILL_MIXED, DS4_SOURCE_PAGES);
}

}  // namespace ds4::conformance
