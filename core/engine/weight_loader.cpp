#include "engine/weight_loader.hpp"

#include <span>
#include <sstream>
#include <string>

#include "engine/expert_layout.hpp"
#include "engine/weight_pieces.hpp"
#include "format/quants/quants.hpp"

namespace ds4 {
namespace {

class WeightLoader {
 public:
  WeightLoader(const ModelFile& model, plugins::Device& device, const LogSink& log,
               const WeightProgress& progress, Experts experts)
      : model_(model),
        device_(device),
        log_(log),
        progress_(progress),
        experts_(experts),
        // The host's own team may be in use by another engine; tensors are only made while loading.
        pieces_(model, device.backend().host().team().threads()) {}

  Result<ModelWeights> load(const DeviceShare& share) {
    out_.layers.resize(model_.config().layers);
    const std::vector<WeightItem> items = weight_items(model_, share);
    total_ = bytes_to_load(items, experts_);
    jobs_.reserve(items.size());  // descriptions point to names
    for (const WeightItem& item : items) DS4_CHECK(choose(item));
    DS4_CHECK(pieces_.open());
    for (const Job& job : jobs_) DS4_CHECK(job.is_streamed ? stream(job) : import(job));
    return std::move(out_);
  }

 private:
  /// A tensor and how it comes to the device.
  struct Job {
    WeightItem item;
    std::string name;
    bool is_streamed = false;
    WeightChoice choice{};  // and the piece size, of one that is not streamed
    std::uint64_t piece = 0;
  };

  /// All choices come before the first byte: the reader knows what is next.
  Result<void> choose(const WeightItem& item) {
    Job& job = jobs_.emplace_back();
    job.item = item;
    job.name = item.tensor->name;
    job.is_streamed = experts_ == Experts::streamed && holds_experts(item.role);
    if (job.is_streamed) return {};
    const AskWeight ask = [this](const ds4_weight_desc& desc) {
      return device_.weight_query(desc);
    };
    DS4_TRY(job.choice, choose_weight(model_, item, job.name, ask));
    if (job.choice.is_in_place) return {};
    DS4_TRY(job.piece, piece_bytes(model_, *item.tensor, job.choice));
    pieces_.add(*item.tensor, job.piece);
    return {};
  }

  Result<void> stream(const Job& job) {
    DS4_TRY(plugins::Weight weight, import_streamed(model_, device_, job.item));
    keep(job.item, std::move(weight));
    return {};
  }

  void keep(const WeightItem& item, plugins::Weight weight) {
    WeightTable& table = item.layer == DS4_NO_LAYER ? out_.global : out_.layers[item.layer];
    table[static_cast<std::size_t>(item.role)] = weight.handle();
    out_.owned.push_back(std::move(weight));
  }

  Result<void> import(const Job& job) {
    const TensorInfo& tensor = *job.item.tensor;
    const WeightChoice& choice = job.choice;
    // Pages of a file that was cut cannot be read; what is not in place, the reader looks after.
    if (choice.is_in_place && !model_.gguf().unchanged()) {
      return fail(Errc::io, model_.gguf().name(), ": the file changed its size while it was read, ",
                  model_.gguf().file_bytes(),
                  " bytes were there when it was opened: make it whole and start again");
    }
    if (choice.is_converted) say_converted(tensor, choice);
    auto import = device_.begin_import(choice.desc, choice.is_in_place ? DS4_IMPORT_IN_PLACE : 0U);
    if (!import) return import.error().in("tensor ", job.name);
    const Result<void> written = choice.is_in_place    ? write_in_place(tensor, *import)
                                 : choice.is_converted ? write_converted(job, *import)
                                                       : write_pieces(job, *import);
    if (!written) return written.error().in("tensor ", job.name);
    auto weight = import->finish();
    if (!weight) return weight.error().in("tensor ", job.name);

    (choice.is_in_place ? out_.in_place_bytes : out_.device_bytes) +=
        choice.is_in_place ? tensor.bytes : choice.device_bytes();
    keep(job.item, *std::move(weight));
    return {};
  }

  void advance(std::uint64_t bytes, const TensorInfo& tensor) {
    done_ += bytes;
    if (progress_) progress_(done_, total_, tensor.name);
  }

  Result<void> write_in_place(const TensorInfo& tensor, plugins::WeightImport& import) {
    DS4_CHECK(import.write(0, model_.bytes(tensor)));
    advance(tensor.bytes, tensor);
    return {};
  }

  void say_converted(const TensorInfo& tensor, const WeightChoice& choice) const {
    if (!log_) return;
    std::ostringstream text;
    text << "tensor " << tensor.name << ": the device does not take " << dtype_name(tensor.dtype)
         << ", converted to " << dtype_name(static_cast<Dtype>(choice.desc.dtype)) << " ("
         << tensor.bytes << " -> " << choice.desc.bytes << " bytes)";
    log_(LogLevel::info, "load", text.str());
  }

  Result<void> write_pieces(const Job& job, plugins::WeightImport& import) {
    const TensorInfo& tensor = *job.item.tensor;
    for (std::uint64_t at = 0; at < tensor.bytes;) {
      DS4_TRY(const std::span<const std::byte> bytes, pieces_.next(tensor, at, job.piece));
      DS4_CHECK(import.write(at, bytes));
      at += bytes.size();
      advance(bytes.size(), tensor);
    }
    return {};
  }

  Result<void> write_converted(const Job& job, plugins::WeightImport& import) {
    const TensorInfo& tensor = *job.item.tensor;
    const auto target = static_cast<Dtype>(job.choice.desc.dtype);
    const std::uint64_t width = tensor.dims[0];
    const std::uint64_t row = tensor.row_bytes();
    DS4_TRY(const std::uint64_t target_row, row_bytes(target, width));
    std::vector<float> values(width);
    std::vector<std::byte> converted(job.piece / row * target_row);
    for (std::uint64_t at = 0; at < tensor.bytes;) {
      DS4_TRY(const std::span<const std::byte> bytes, pieces_.next(tensor, at, job.piece));
      const std::uint64_t rows = bytes.size() / row;
      for (std::uint64_t r = 0; r < rows; ++r) {
        DS4_CHECK(dequantize_row(tensor.dtype, bytes.data() + r * row, values.data(), width));
        DS4_CHECK(quantize_row(target, values.data(), converted.data() + r * target_row, width));
      }
      DS4_CHECK(import.write(at / row * target_row, std::span(converted).first(rows * target_row)));
      at += bytes.size();
      advance(bytes.size(), tensor);
    }
    return {};
  }

  const ModelFile& model_;
  plugins::Device& device_;
  const LogSink& log_;
  const WeightProgress& progress_;
  Experts experts_;
  WeightPieces pieces_;
  std::vector<Job> jobs_;
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
