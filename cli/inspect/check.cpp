#include "inspect/check.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "common/json_writer.hpp"
#include "common/runtime.hpp"
#include "format/quants/quants.hpp"
#include "format/shown.hpp"
#include "inspect/read_through.hpp"
#include "inspect/value_text.hpp"
#include "model/config_keys.hpp"
#include "model/model_file.hpp"

namespace ds4::inspect {
namespace {

/// Lines about what holds; the first thing that does not is the result's error.
class Checks {
 public:
  explicit Checks(const InspectOptions& options) : options_(options) {}

  Result<std::string> run() {
    DS4_TRY(GgufFile file, GgufFile::open(options_.files.front()));
    hold("container", std::to_string(file.metadata().size()) + " keys, " +
                          std::to_string(file.tensors().size()) +
                          " tensors within the file, aligned, none over another");
    note_gaps(file);
    DS4_CHECK(check_types(file));
    DS4_TRY(const ModelFile model, check_model(std::move(file)));
    DS4_TRY(const Tokenizer tokenizer, cli::open_tokenizer(model.gguf(), {}));
    hold("tokenizer", std::to_string(tokenizer.vocabulary().size()) + " tokens");
    DS4_CHECK(check_values(model.gguf()));
    return options_.prints_json ? as_json() : text_.str();
  }

 private:
  void hold(const std::string& rule, const std::string& what) {
    text_ << "ok    " << rule << ": " << what << "\n";
    held_.push_back({rule, what});
  }

  /// Bytes of the file that no tensor owns; padding is expected, more is worth a line.
  void note_gaps(const GgufFile& file) {
    std::uint64_t end = file.data_offset();
    std::vector<const TensorInfo*> order;
    for (const TensorInfo& tensor : file.tensors()) {
      if (tensor.bytes != 0) order.push_back(&tensor);
    }
    std::sort(order.begin(), order.end(),
              [](const TensorInfo* a, const TensorInfo* b) { return a->offset < b->offset; });
    std::uint64_t unused = 0;
    for (const TensorInfo* tensor : order) {
      const std::uint64_t gap = tensor->offset - end;
      unused += gap >= file.alignment() ? gap : 0;
      end = tensor->offset + tensor->bytes;
    }
    const std::uint64_t behind = file.file_bytes() - std::min(end, file.file_bytes());
    unused += behind >= file.alignment() ? behind : 0;
    hold("layout", std::to_string(unused) + " bytes between and behind tensors beyond padding");
  }

  Result<void> check_types(const GgufFile& file) {
    for (const TensorInfo& tensor : file.tensors()) {
      if (find_traits(tensor.dtype) != nullptr) continue;
      return fail(Errc::bad_file, file.name(), ": tensor ", shown(tensor.name),
                  " has the unknown type ", static_cast<std::uint32_t>(tensor.dtype));
    }
    hold("types", "every element type is known");
    return {};
  }

  Result<ModelFile> check_model(GgufFile file) {
    DS4_TRY(ModelFile model, ModelFile::from(std::move(file)));
    hold("model", model.config().architecture + ", " + std::to_string(model.config().layers) +
                      " layers; every tensor there, of the right shape and an allowed type; " +
                      std::to_string(model.unused_tensors()) + " tensors not used");
    return model;
  }

  Result<void> check_values(const GgufFile& file) {
    std::uint64_t tensors = 0;
    for (const TensorInfo& tensor : file.tensors()) {
      // Vectors are few and small, so they are always looked at.
      const bool is_plain = tensor.dtype == Dtype::f32 && tensor.rank == 1;
      if (!is_loadable(tensor.dtype) || tensor.dtype == Dtype::i32) continue;
      if (!options_.reads_values && !is_plain) continue;
      DS4_CHECK(check_tensor(file, tensor));
      ++tensors;
    }
    hold("values", std::to_string(tensors) + " tensors decoded, every value finite" +
                       (options_.reads_values ? "" : " (all of them: --values)"));
    return {};
  }

  /// Rows are decoded as the engine would: a scale that is not finite shows in the values.
  Result<void> check_tensor(const GgufFile& file, const TensorInfo& tensor) {
    const std::uint64_t row = tensor.row_bytes();
    const std::span<const std::byte> bytes = file.bytes(tensor);
    std::vector<float> values(tensor.dims[0]);
    std::uint64_t kept = 0;
    for (std::uint64_t r = 0; r < tensor.rows(); ++r) {
      const auto stored = bytes.subspan(r * row, row);
      DS4_CHECK(dequantize_row(tensor.dtype, stored.data(), values.data(), values.size()));
      const auto bad = std::find_if(values.begin(), values.end(),
                                    [](float value) { return !std::isfinite(value); });
      if (bad != values.end()) {
        return fail(Errc::bad_file, file.name(), ": tensor ", shown(tensor.name), ": value ",
                    bad - values.begin(), " of row ", r, " is not finite");
      }
      kept += row;
      if (kept < kPieceBytes && r + 1 < tensor.rows()) continue;
      file.release(bytes.subspan((r + 1) * row - kept, kept));
      kept = 0;
      if (file.unchanged()) continue;
      return fail(Errc::io, file.name(), ": the file changed its size while it was read");
    }
    return {};
  }

  [[nodiscard]] std::string as_json() const {
    cli::JsonWriter json;
    json.begin_object();
    json.key("ok").boolean(true);
    json.key("rules").begin_array();
    for (const auto& [rule, what] : held_) {
      json.line_break().begin_object();
      json.key("rule").string(rule);
      json.key("text").string(what);
      json.end_object();
    }
    json.end_array().end_object();
    return json.take() + "\n";
  }

  const InspectOptions& options_;
  std::ostringstream text_;
  std::vector<std::pair<std::string, std::string>> held_;
};

}  // namespace

Result<std::string> check_file(const InspectOptions& options) {
  return Checks(options).run();
}

}  // namespace ds4::inspect
