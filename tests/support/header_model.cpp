#include "tests/support/header_model.hpp"

#include <utility>

#include "format/gguf_writer.hpp"
#include "model/synthetic_parts.hpp"

namespace ds4::test {

Result<void> write_header_model(const std::filesystem::path& path, const SyntheticSpec& spec) {
  const std::vector<TensorSpec> tensors = synthetic::tensor_list(spec.config);
  DS4_TRY(GgufHeader header, synthetic::make_header(spec, tensors));
  DS4_TRY(GgufWriter writer, GgufWriter::create(path, std::move(header)));
  for (std::size_t i = 0; i < tensors.size(); ++i) DS4_CHECK(writer.skip());
  return writer.finish();
}

}  // namespace ds4::test
