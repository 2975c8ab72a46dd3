#include "model/vocabulary_source.hpp"

namespace ds4 {
namespace {

Result<std::optional<std::uint32_t>> optional_id(const GgufFile& file, std::string_view key) {
  if (file.find(key) == nullptr) return std::optional<std::uint32_t>{};
  DS4_TRY(const std::uint32_t id, file.u32(key));
  return std::optional<std::uint32_t>{id};
}

}  // namespace

Result<VocabularySource> vocabulary_source(const GgufFile& file) {
  VocabularySource source;
  DS4_TRY(source.tokens, file.string_array("tokenizer.ggml.tokens"));
  DS4_TRY(source.merges, file.string_array("tokenizer.ggml.merges"));
  if (file.find("tokenizer.ggml.token_type") != nullptr) {
    DS4_TRY(source.types, file.i32_array("tokenizer.ggml.token_type"));
  }
  DS4_TRY(source.model, file.string("tokenizer.ggml.model"));
  if (file.find("tokenizer.ggml.pre") != nullptr) {
    DS4_TRY(source.pre, file.string("tokenizer.ggml.pre"));
  }
  DS4_TRY(source.bos, optional_id(file, "tokenizer.ggml.bos_token_id"));
  DS4_TRY(source.eos, optional_id(file, "tokenizer.ggml.eos_token_id"));
  return source;
}

}  // namespace ds4
