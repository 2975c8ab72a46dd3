#include "validate/layer_weights.hpp"

#include <algorithm>
#include <numeric>

#include "engine/weight_choice.hpp"
#include "format/quants/quants.hpp"

namespace ds4::validate {
namespace {

constexpr std::uint64_t kChunkBytes = 8ULL << 20;

}  // namespace

/// What is read of a tensor: parts of equal size, one after the other.
struct WeightImporter::Source {
  const TensorInfo* tensor = nullptr;
  std::uint32_t layer = DS4_NO_LAYER;
  std::vector<std::uint32_t> extents;  // outermost first
  std::span<const std::uint32_t> parts;
  std::uint64_t part_bytes = 0;
  std::uint64_t part_rows = 0;
};

Result<void> WeightImporter::import(TensorRole role, std::uint32_t layer, HeldWeights& into) {
  const TensorInfo* tensor =
      layer == DS4_NO_LAYER ? model_.global_tensor(role) : model_.layer_tensor(layer, role);
  if (tensor == nullptr) return {};
  const std::uint32_t whole[] = {0};
  Source source;
  source.tensor = tensor;
  source.layer = layer;
  const auto dims =
      role_dims(model_.config(), role, layer == DS4_NO_LAYER ? 0 : model_.config().ratio(layer));
  for (auto at = dims.rbegin(); at != dims.rend(); ++at) {
    source.extents.push_back(static_cast<std::uint32_t>(*at));
  }
  if (weight_role(role) == DS4_ROLE_GROUPED) {
    source.extents = {model_.config().output_groups, model_.config().output_rank,
                      source.extents.back()};
  }
  source.parts = whole;
  source.part_bytes = tensor->bytes;
  source.part_rows = tensor->rows();
  return import_from(source, role, into);
}

Result<void> WeightImporter::import_parts(TensorRole role, std::uint32_t layer,
                                          std::span<const std::uint32_t> parts, HeldWeights& into) {
  const TensorInfo* tensor =
      layer == DS4_NO_LAYER ? model_.global_tensor(role) : model_.layer_tensor(layer, role);
  if (tensor == nullptr)
    return fail(Errc::bad_file, "a tensor of role ", role_traits(role).suffix, " is missing");
  const auto dims =
      role_dims(model_.config(), role, layer == DS4_NO_LAYER ? 0 : model_.config().ratio(layer));
  Source source;
  source.tensor = tensor;
  source.layer = layer;
  for (auto at = dims.rbegin(); at != dims.rend(); ++at) {
    source.extents.push_back(static_cast<std::uint32_t>(*at));
  }
  const std::uint64_t held = source.extents[0];
  for (const std::uint32_t part : parts) {
    if (part >= held) {
      return fail(Errc::bad_file, "tensor ", tensor->name, ": part ", part, " of ", held,
                  " is asked for");
    }
  }
  source.part_bytes = tensor->bytes / held;
  source.part_rows = tensor->rows() / held;
  source.extents[0] = static_cast<std::uint32_t>(parts.size());
  source.parts = parts;
  return import_from(source, role, into);
}

Result<void> WeightImporter::import_from(const Source& source, TensorRole role, HeldWeights& into) {
  const TensorInfo& tensor = *source.tensor;
  const std::string name(tensor.name);
  if (!model_.gguf().unchanged()) {
    return fail(Errc::io, model_.gguf().name(), ": the file changed its size while it was read");
  }
  const auto width = tensor.dims[0];
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.role = weight_role(role);
  desc.layer = source.layer;
  desc.rank = static_cast<std::uint32_t>(source.extents.size());
  std::copy(source.extents.begin(), source.extents.end(), desc.extent);
  desc.name = name.c_str();
  ds4_weight_answer answer{};
  for (const Dtype dtype : {tensor.dtype, Dtype::f16, Dtype::f32}) {
    if (dtype != tensor.dtype && tensor.dtype == Dtype::i32) break;
    DS4_TRY(const std::uint64_t row, row_bytes(dtype, width));
    desc.dtype = static_cast<std::uint32_t>(dtype);
    desc.bytes = row * source.part_rows * source.parts.size();
    DS4_TRY(answer, device_.weight_query(desc));
    if (answer.accepted != 0) break;
  }
  if (answer.accepted == 0) {
    return fail(Errc::unsupported, "tensor ", name, ": the device takes neither ",
                dtype_name(tensor.dtype), " nor F16 nor F32 for it");
  }
  auto import = device_.begin_import(desc);
  if (!import) return import.error().in("tensor ", name);
  const auto target = static_cast<Dtype>(desc.dtype);
  const auto bytes = model_.bytes(tensor);
  std::vector<float> values(target == tensor.dtype ? 0 : width);
  DS4_TRY(const std::uint64_t target_row, row_bytes(target, width));
  std::vector<std::byte> row(target == tensor.dtype ? 0 : target_row);
  std::uint64_t to = 0;
  for (const std::uint32_t part : source.parts) {
    const auto from = bytes.subspan(part * source.part_bytes, source.part_bytes);
    if (target == tensor.dtype) {
      for (std::uint64_t at = 0; at < from.size(); at += kChunkBytes) {
        const auto chunk = from.subspan(at, std::min<std::uint64_t>(kChunkBytes, from.size() - at));
        if (auto done = import->write(to, chunk); !done) return done.error().in("tensor ", name);
        to += chunk.size();
        model_.gguf().release(chunk);
      }
      continue;
    }
    const std::uint64_t source_row = from.size() / source.part_rows;
    for (std::uint64_t r = 0; r < source.part_rows; ++r) {
      DS4_CHECK(dequantize_row(tensor.dtype, from.data() + r * source_row, values.data(), width));
      DS4_CHECK(quantize_row(target, values.data(), row.data(), width));
      if (auto done = import->write(to, row); !done) return done.error().in("tensor ", name);
      to += row.size();
    }
    model_.gguf().release(from);
  }
  auto weight = import->finish();
  if (!weight) return weight.error().in("tensor ", name);
  into.table[static_cast<std::size_t>(role)] = weight->handle();
  into.owned.push_back(*std::move(weight));
  return {};
}

}  // namespace ds4::validate
