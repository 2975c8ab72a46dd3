#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/model_file.hpp"
#include "validate/report.hpp"
#include "validate/settings.hpp"
#include "wrap/device.hpp"

namespace ds4::validate {

/// The two devices of a model check.
struct Sides {
  std::shared_ptr<plugins::Device> judged;
  std::shared_ptr<plugins::Device> reference;
};

/// Runs one layer on both sides, op by op, each op from the reference's input, with the reference's
/// experts: a prefill segment and then single rows, across position 128, after a history of random
/// rows. Imports what the layer needs and lets go of it at the end.
///
/// x: [tokens, streams, width], what enters the layer. Gives what leaves it, by the reference.
/// row: worst error with its limit, the state, and what was wrong.
/// Errors: of the file and of the reference; those of the other backend make the row fail.
Result<std::vector<float>> check_layer(const ModelFile& model, const Sides& sides,
                                       const Settings& settings, std::uint32_t layer,
                                       const std::vector<std::int32_t>& tokens,
                                       const std::vector<float>& x, Row& row);

}  // namespace ds4::validate
