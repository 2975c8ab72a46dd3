#pragma once

#include <string>
#include <vector>

#include "tests/layering/source_tree.hpp"

namespace ds4::layering {

/// Files that break a rule, one line each: "path:line: what is wrong".
using Findings = std::vector<std::string>;

/// Includes from a layer to one that it must not know, and quoted includes that name no file.
[[nodiscard]] Findings forbidden_arrows(const std::vector<SourceFile>& files);

/// Chains of files that include each other, one line per cycle found.
[[nodiscard]] Findings circular_includes(const std::vector<SourceFile>& files);

/// x.cpp beside x.hpp that does not include x.hpp first. Compiling x.cpp then proves that x.hpp
/// needs nothing before it.
[[nodiscard]] Findings own_header_not_first(const std::vector<SourceFile>& files);

/// Reads of the environment outside of programs, and prints or exits in libraries.
[[nodiscard]] Findings forbidden_calls(const std::vector<SourceFile>& files);

}  // namespace ds4::layering
