#pragma once

#include <string>

#include "model/model_file.hpp"

namespace ds4::run {

/// --inspect: what a model file is, line by line; the last lines count tensor types.
[[nodiscard]] std::string model_summary(const ModelFile& model);

/// "Q8_0 123, F32 45": tensors of each type in the order of first use.
[[nodiscard]] std::string type_counts(const GgufFile& file);

}  // namespace ds4::run
