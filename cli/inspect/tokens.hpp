#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"

namespace ds4::inspect {

/// The tokens of a text: ids, then a line for each with its bytes. Control tokens that are written
/// out are recognised. Errors: those of the file and of the tokenizer.
Result<std::string> show_tokens(const InspectOptions& options);

}  // namespace ds4::inspect
