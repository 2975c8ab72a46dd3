#pragma once

#include "tests/conformance/harness/random.hpp"
#include "validate/layer_side.hpp"

namespace ds4::validate {

/// Fills rings and pages of a layer as if tokens had gone before: random rows of the size that
/// normed rows have, in the model's own row format.
void fill_history(const LayerSetup& setup, conformance::Random& random, LayerState& state);

}  // namespace ds4::validate
