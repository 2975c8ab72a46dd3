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
/// byte-pair encoding learns from a built-in text, fillers, and the other special tokens: in a
/// vocabulary of the released size at the ids of the released models (model.md 2.5), else last.
/// Errors: invalid_argument when `size` cannot hold the fixed ones.
Result<Vocabulary> make_vocabulary(std::uint32_t size);

/// All metadata of a model in the naming of spec.config. `description` is left out when empty.
Result<void> add_metadata(GgufHeader& header, const SyntheticSpec& spec,
                          const std::string& description = {});

/// Metadata and directory of the model, with spec.file_bytes kept where it can be.
/// Errors: invalid_argument when a tensor cannot be stored in its type, or MTP blocks in this
/// naming.
Result<GgufHeader> make_header(const SyntheticSpec& spec, const std::vector<TensorSpec>& tensors);

/// Every tensor to be written, in file order: the main model, then MTP blocks.
std::vector<TensorSpec> tensor_list(const ModelConfig& config);

/// Whether the tensor of this role is a hole of the file.
[[nodiscard]] bool is_hole(TensorRole role, Holes holes) noexcept;

}  // namespace ds4::synthetic
