#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "model/synthetic.hpp"

namespace ds4::test {

/// Writes the metadata and tensor directory of a model and leaves every tensor as a file hole: a
/// file of full size that takes the space of its header. Tables of experts read as expert 0.
Result<void> write_header_model(const std::filesystem::path& path, const SyntheticSpec& spec);

}  // namespace ds4::test
