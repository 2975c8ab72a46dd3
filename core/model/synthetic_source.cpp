#include "model/synthetic_source.hpp"

#include "model/synthetic_parts.hpp"
#include "model/synthetic_tensor.hpp"

namespace ds4 {

Result<SyntheticSource> SyntheticSource::make(const SyntheticSpec& spec) {
  SyntheticSource out(spec);
  std::vector<TensorSpec> tensors = synthetic::tensor_list(spec.config);
  DS4_TRY(const GgufHeader header, synthetic::make_header(spec, tensors));
  out.head_ = header.encode();
  out.file_bytes_ = out.head_.size() + header.data_bytes();
  for (TensorSpec& tensor : tensors) out.tensors_.emplace(tensor.name, std::move(tensor));
  return out;
}

Result<void> SyntheticSource::read_rows(const TensorInfo& tensor, std::uint64_t first,
                                        std::uint64_t count, std::span<std::byte> out,
                                        ThreadTeam& team) const {
  const auto found = tensors_.find(std::string(tensor.name));
  if (found == tensors_.end()) {
    return fail(Errc::not_found, "the model has no tensor ", tensor.name);
  }
  DS4_TRY(const auto maker, synthetic::TensorMaker::make(spec_, found->second));
  return maker.fill(first, count, out, team);
}

}  // namespace ds4
