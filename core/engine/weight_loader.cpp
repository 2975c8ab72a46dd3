#include "engine/weight_loader.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <sstream>

#include "engine/expert_layout.hpp"
#include "format/quants/quants.hpp"

namespace ds4 {
namespace {

class WeightLoader {
 public:
  WeightLoader(const ModelFile& model, plugins::Device& device, const LogSink& log,
               const WeightProgress& progress, Experts experts)
      : model_(model), device_(device), log_(log), progress_(progress), experts_(experts) {
    // The host's own team may be in use by another engine; tensors are only made while loading.
    if (!model.is_mapped()) team_.emplace(device.backend().host().team().threads());
  }

  Result<ModelWeights> load(const DeviceShare& share) {
    out_.layers.resize(model_.config().layers);
    const std::vector<WeightItem> items = weight_items(model_, share);
    total_ = bytes_to_load(items, experts_);
    for (const WeightItem& item : items) {
      const bool is_streamed = experts_ == Experts::streamed && holds_experts(item.role);
      DS4_CHECK(is_streamed ? stream(item) : import(item));
    }
    return std::move(out_);
  }

 private:
  Result<void> stream(const WeightItem& item) {
    DS4_TRY(plugins::Weight weight, import_streamed(model_, device_, item));
    keep(item, std::move(weight));
    return {};
  }

  void keep(const WeightItem& item, plugins::Weight weight) {
    WeightTable& table = item.layer == DS4_NO_LAYER ? out_.global : out_.layers[item.layer];
    table[static_cast<std::size_t>(item.role)] = weight.handle();
    out_.owned.push_back(std::move(weight));
  }

  Result<void> import(const WeightItem& item) {
    const TensorInfo& tensor = *item.tensor;
    const std::string name(tensor.name);
    if (!model_.gguf().unchanged()) {
      return fail(Errc::io, model_.gguf().name(), ": the file changed its size while it was read");
    }
    const AskWeight ask = [this](const ds4_weight_desc& desc) {
      return device_.weight_query(desc);
    };
    DS4_TRY(const WeightChoice choice, choose_weight(model_, item, name, ask));
    if (choice.is_converted) say_converted(tensor, choice);
    auto import = device_.begin_import(choice.desc, choice.is_in_place ? DS4_IMPORT_IN_PLACE : 0U);
    if (!import) return import.error().in("tensor ", name);
    const Result<void> written = write(tensor, choice, *import);
    if (!written) return written.error().in("tensor ", name);
    auto weight = import->finish();
    if (!weight) return weight.error().in("tensor ", name);

    (choice.is_in_place ? out_.in_place_bytes : out_.device_bytes) +=
        choice.is_in_place ? tensor.bytes : choice.device_bytes();
    keep(item, *std::move(weight));
    done_ += tensor.bytes;
    if (progress_) progress_(done_, total_, tensor.name);
    return {};
  }

  Result<void> write(const TensorInfo& tensor, const WeightChoice& choice,
                     plugins::WeightImport& import) {
    if (choice.is_converted) return write_converted(tensor, choice.desc, import);
    if (!model_.is_mapped()) return write_made(tensor, choice.answer, import);
    return choice.is_in_place ? import.write(0, model_.bytes(tensor))
                              : write_chunks(tensor, choice.answer, import);
  }

  void say_converted(const TensorInfo& tensor, const WeightChoice& choice) const {
    if (!log_) return;
    std::ostringstream text;
    text << "tensor " << tensor.name << ": the device does not take " << dtype_name(tensor.dtype)
         << ", converted to " << dtype_name(static_cast<Dtype>(choice.desc.dtype)) << " ("
         << tensor.bytes << " -> " << choice.desc.bytes << " bytes)";
    log_(LogLevel::info, "load", text.str());
  }

  Result<void> write_chunks(const TensorInfo& tensor, const ds4_weight_answer& answer,
                            plugins::WeightImport& import) {
    const auto bytes = model_.bytes(tensor);
    const std::uint64_t chunk = answer.chunk_bytes != 0 ? answer.chunk_bytes : kImportChunkBytes;
    for (std::uint64_t at = 0; at < bytes.size(); at += chunk) {
      const auto piece = bytes.subspan(at, std::min<std::uint64_t>(chunk, bytes.size() - at));
      DS4_CHECK(import.write(at, piece));
      model_.gguf().release(piece);
    }
    return {};
  }

  /// Makes whole rows and hands them over, piece by piece: no more than a piece exists twice.
  Result<void> write_made(const TensorInfo& tensor, const ds4_weight_answer& answer,
                          plugins::WeightImport& import) {
    const std::uint64_t row = tensor.row_bytes();
    const std::uint64_t wanted = std::max(kMadeChunkBytes, answer.chunk_bytes);
    const std::uint64_t most = std::max<std::uint64_t>(1, wanted / row);
    for (std::uint64_t first = 0; first < tensor.rows(); first += most) {
      const std::uint64_t count = std::min(most, tensor.rows() - first);
      made_.resize(count * row);
      DS4_CHECK(model_.read_rows(tensor, first, count, made_, *team_));
      DS4_CHECK(import.write(first * row, made_));
    }
    return {};
  }

  Result<void> write_converted(const TensorInfo& tensor, const ds4_weight_desc& desc,
                               plugins::WeightImport& import) {
    const auto target = static_cast<Dtype>(desc.dtype);
    const std::uint64_t width = tensor.dims[0];
    DS4_TRY(const std::uint64_t source_row, row_bytes(tensor.dtype, width));
    DS4_TRY(const std::uint64_t target_row, row_bytes(target, width));
    std::vector<float> values(width);
    std::vector<std::byte> packed(target_row);
    const auto bytes = model_.bytes(tensor);
    std::uint64_t released = 0;  // bytes read since pages were last given back
    made_.resize(source_row);
    for (std::uint64_t row = 0; row < tensor.rows(); ++row) {
      const std::byte* source = made_.data();
      if (model_.is_mapped()) {
        source = bytes.data() + row * source_row;
      } else {
        DS4_CHECK(model_.read_rows(tensor, row, 1, made_, *team_));
      }
      DS4_CHECK(dequantize_row(tensor.dtype, source, values.data(), width));
      DS4_CHECK(quantize_row(target, values.data(), packed.data(), width));
      DS4_CHECK(import.write(row * target_row, packed));
      released += source_row;
      if (!model_.is_mapped()) continue;
      if (released < kImportChunkBytes && row + 1 < tensor.rows()) continue;
      model_.gguf().release(bytes.subspan((row + 1) * source_row - released, released));
      released = 0;
    }
    return {};
  }

  const ModelFile& model_;
  plugins::Device& device_;
  const LogSink& log_;
  const WeightProgress& progress_;
  Experts experts_;
  std::optional<ThreadTeam> team_;  // where tensors are made
  std::vector<std::byte> made_;     // one piece of a tensor that is made
  ModelWeights out_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<ModelWeights> load_weights(const ModelFile& model, plugins::Device& device,
                                  const DeviceShare& share, const LogSink& log,
                                  const WeightProgress& progress, Experts experts) {
  return WeightLoader(model, device, log, progress, experts).load(share);
}

Result<plugins::Weight> import_streamed(const ModelFile& model, plugins::Device& device,
                                        const WeightItem& item) {
  const std::string name(item.tensor->name);
  auto import = device.begin_import(describe_streamed(model, item, name));
  if (!import) return import.error().in("tensor ", name);
  auto weight = import->finish();
  if (!weight) return weight.error().in("tensor ", name);
  return weight;
}

std::uint64_t bytes_to_load(const std::vector<WeightItem>& items, Experts experts) {
  std::uint64_t bytes = 0;
  for (const WeightItem& item : items) {
    if (experts == Experts::resident || !holds_experts(item.role)) bytes += item.tensor->bytes;
  }
  return bytes;
}

}  // namespace ds4
