#pragma once

#include <string_view>

#include "base/result.hpp"
#include "model/synthetic.hpp"

namespace ds4::golden {

/// The names oracle_model() knows.
inline constexpr std::string_view kOracleNames[] = {"oracle-a", "oracle-b"};
/// Prompt lengths with a vector file "<name>-<length>.bin".
inline constexpr int kOraclePrompts[] = {1, 7, 130, 600, 2100};

/// The model whose logits lie in tests/golden/oracle, all tensors F32; write_synthetic_model() of
/// it has the weights that tests/oracle/shapes.py gives to `transformers`. Errors: invalid_argument
/// for another name.
[[nodiscard]] Result<SyntheticSpec> oracle_model(std::string_view name);

}  // namespace ds4::golden
