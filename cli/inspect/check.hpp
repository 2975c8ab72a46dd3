#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"

namespace ds4::inspect {

/// Checks the container, the model and its tokenizer, and the values of vectors (of every tensor
/// with
/// --values); a line per rule that holds. Errors: the first rule that is broken, in one line.
Result<std::string> check_file(const InspectOptions& options);

}  // namespace ds4::inspect
