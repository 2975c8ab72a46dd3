#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"

namespace ds4::inspect {

/// Metadata and tensors of a file, as text or JSON. Errors: those of GgufFile::open.
Result<std::string> dump_file(const InspectOptions& options);

}  // namespace ds4::inspect
