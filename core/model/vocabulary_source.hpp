#pragma once

#include "format/gguf_reader.hpp"
#include "tokenizer/vocabulary.hpp"

namespace ds4 {

/// The token table of a model file (`tokenizer.ggml.*`), as views that live as long as the file.
/// Errors: bad_file when a required key is absent or of another type.
Result<VocabularySource> vocabulary_source(const GgufFile& file);

}  // namespace ds4
