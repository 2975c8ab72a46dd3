#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "format/gguf_writer.hpp"
#include "model/synthetic.hpp"

/// The pieces write_synthetic_model() is made of.
namespace ds4::synthetic {

/// A byte-level vocabulary in GGUF form.
struct Vocabulary {
  std::vector<std::string> tokens;  ///< index is the id; special tokens literal, others mapped
  std::vector<std::int32_t> types;  ///< 1 normal, 3 control, 4 user-defined
  std::vector<std::string> merges;  ///< "left right", rank is the index
};

/// `size` tokens: BOS, EOS and padding first, then the 256 byte symbols, the results of merges that
/// byte-pair encoding learns from a built-in text, fillers, and the other special tokens last.
/// Errors: invalid_argument when `size` cannot hold the fixed ones.
Result<Vocabulary> make_vocabulary(std::uint32_t size);

/// All metadata of a model in the naming of spec.config.
Result<void> add_metadata(GgufHeader& header, const SyntheticSpec& spec);

/// Every tensor to be written, in file order: the main model, then MTP blocks.
std::vector<TensorSpec> tensor_list(const ModelConfig& config);

}  // namespace ds4::synthetic
