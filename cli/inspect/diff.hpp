#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"

namespace ds4::inspect {

struct Difference {
  std::string text;  ///< a line per difference, or one JSON object
  bool differs = false;
};

/// Compares metadata, tensors and (but for --header) their bytes; the order of keys and tensors
/// does not count. Errors: those of GgufFile::open; io.
Result<Difference> diff_files(const InspectOptions& options);

}  // namespace ds4::inspect
