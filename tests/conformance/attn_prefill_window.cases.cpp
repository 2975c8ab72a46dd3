#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_prefill_window_cases(Suite& suite) {
  attention_cases(suite, DS4_OP_ATTN_PREFILL_WINDOW, DS4_SOURCE_NONE);
}

}  // namespace ds4::conformance
