#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"

namespace ds4::inspect {

/// SHA-256 of header and file and XXH3 of every tensor, as text or JSON.
/// Errors: those of GgufFile::open; io.
Result<std::string> hash_file(const InspectOptions& options);

}  // namespace ds4::inspect
