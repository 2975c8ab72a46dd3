#include "validate/model_ends.hpp"

#include <algorithm>
#include <cstring>

#include "engine/op_compare.hpp"
#include "ops/views.hpp"
#include "tests/conformance/harness/random.hpp"
#include "validate/layer_weights.hpp"

namespace ds4::validate {
namespace {

/// Vocabulary rows that are on a device at once.
constexpr std::uint64_t kSliceBytes = 32ULL << 20;

/// Buffers and the run of a single op on one device.
class OneOp {
 public:
  explicit OneOp(std::shared_ptr<plugins::Device> device) : device_(std::move(device)) {}

  Result<ds4_view> tensor(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                          std::span<const std::byte> values) {
    if (!stream_) {
      DS4_TRY(stream_, device_->create_stream());
    }
    ds4_view view = make_view(nullptr, 0, dtype, extents);
    DS4_TRY(plugins::Buffer buffer,
            device_->create_buffer(view_span_bytes(view), device_->info().memory[0].kind,
                                   DS4_USAGE_ACTIVATION));
    if (!values.empty()) {
      DS4_CHECK(stream_->write(buffer, 0, values));
      DS4_CHECK(stream_->sync());
    }
    view.buffer = buffer.handle();
    buffers_.push_back(std::move(buffer));
    return view;
  }

  /// Nothing when the device does not have the op.
  Result<bool> run(const ds4_op& op, std::uint32_t rows) {
    DS4_TRY(const plugins::OpSupport answer, device_->op_support(op));
    if (answer.level == plugins::SupportLevel::no) return false;
    std::vector<std::int32_t> header(DS4_STEP_HEADER_WORDS, 0);
    header[DS4_STEP_ROWS] = header[DS4_STEP_DECODE_ROWS] = static_cast<std::int32_t>(rows);
    header[DS4_STEP_LOGITS_ROWS] = static_cast<std::int32_t>(rows);
    header[DS4_STEP_PREFILL_SLOT] = -1;
    DS4_TRY(const ds4_view step,
            tensor(DS4_DTYPE_I32, {DS4_STEP_HEADER_WORDS}, std::as_bytes(std::span(header))));
    const ds4_op* one[] = {&op};
    DS4_TRY(const std::uint64_t bytes, device_->workspace_size(one));
    ds4_submission submission{};
    submission.count = 1;
    submission.ops = one;
    submission.step = step;
    if (bytes != 0) {
      DS4_TRY(submission.workspace,
              tensor(DS4_DTYPE_F32, {static_cast<std::uint32_t>((bytes + 4095) / 4096), 1024}, {}));
    }
    DS4_CHECK(stream_->enqueue(submission));
    DS4_CHECK(stream_->sync());
    return true;
  }

  Result<std::vector<float>> read(const ds4_view& view) {
    std::vector<float> values(view_span_bytes(view) / sizeof(float));
    for (const plugins::Buffer& buffer : buffers_) {
      if (buffer.handle() != view.buffer) continue;
      DS4_CHECK(stream_->read(buffer, 0, std::as_writable_bytes(std::span(values))));
    }
    DS4_CHECK(stream_->sync());
    return values;
  }

 private:
  std::shared_ptr<plugins::Device> device_;
  std::optional<plugins::Stream> stream_;
  std::vector<plugins::Buffer> buffers_;
};

/// What one side gives for one op; empty when it does not have the op.
using SideResult = Result<std::vector<float>>;

/// Adds the worst distance of rows of one slice of the logits to the row of the report.
void compare_rows(std::span<const float> wanted, std::span<const float> got, std::uint32_t width,
                  double tolerance_scale, Row& row) {
  const auto rows = static_cast<std::uint32_t>(wanted.size() / width);
  OutputComparison found(
      {"logits", make_view(nullptr, 0, DS4_DTYPE_F32, {rows, width}), Nearness::product},
      tolerance_scale);
  for (std::uint32_t r = 0; r < rows; ++r) {
    const std::size_t at = std::size_t{r} * width;
    found.add(r, std::as_bytes(wanted.subspan(at, width)), std::as_bytes(got.subspan(at, width)));
  }
  if (found.is_wrong()) row.state = State::fail;
  const RowDistance& worst = found.is_wrong() ? found.wrong() : found.worst();
  if (row.has_error && !(worst.error > row.worst_error)) return;
  row.has_error = true;
  row.worst_error = worst.error;
  row.limit = worst.limit;
  row.is_reduced = !found.is_wrong() && found.is_reduced();
  if (found.is_wrong()) row.detail = "row " + std::to_string(worst.row);
  if (!found.is_wrong() && found.is_reduced()) row.detail = "at reduced precision";
}

SideResult embed_on(const ModelFile& model, const std::shared_ptr<plugins::Device>& device,
                    const std::vector<std::uint32_t>& parts, const std::vector<std::int32_t>& ids) {
  const ModelConfig& config = model.config();
  const auto rows = static_cast<std::uint32_t>(ids.size());
  HeldWeights weights;
  DS4_CHECK(WeightImporter(model, *device)
                .import_parts(TensorRole::token_embd, DS4_NO_LAYER, parts, weights));
  OneOp run(device);
  auto op = make_op<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS);
  op.rows = range_all(rows);
  op.weight = weights.table[static_cast<std::size_t>(TensorRole::token_embd)];
  DS4_TRY(op.tokens, run.tensor(DS4_DTYPE_I32, {rows}, std::as_bytes(std::span(ids))));
  DS4_TRY(op.x, run.tensor(DS4_DTYPE_F32, {rows, config.streams, config.width}, {}));
  DS4_TRY(const bool has_op, run.run(op.op, rows));
  if (!has_op) return std::vector<float>();
  return run.read(op.x);
}

struct HeadInput {
  const ModelFile& model;
  const std::vector<float>& x;
  std::uint32_t rows;
};

SideResult head_on(const HeadInput& in, const std::shared_ptr<plugins::Device>& device,
                   std::span<const std::uint32_t> parts) {
  const ModelConfig& config = in.model.config();
  HeldWeights weights;
  WeightImporter importer(in.model, *device);
  for (const TensorRole role : {TensorRole::output_hc_fn, TensorRole::output_hc_scale,
                                TensorRole::output_hc_base, TensorRole::output_norm}) {
    DS4_CHECK(importer.import(role, DS4_NO_LAYER, weights));
  }
  DS4_CHECK(importer.import_parts(TensorRole::output, DS4_NO_LAYER, parts, weights));
  const auto weight = [&](TensorRole role) {
    return weights.table[static_cast<std::size_t>(role)];
  };
  OneOp run(device);
  std::vector<std::int32_t> ids(in.rows);
  for (std::uint32_t i = 0; i < in.rows; ++i) ids[i] = static_cast<std::int32_t>(i);
  auto op = make_op<ds4_op_head>(DS4_OP_HEAD);
  op.rows = range_all(in.rows);
  op.fn = weight(TensorRole::output_hc_fn);
  op.scale = weight(TensorRole::output_hc_scale);
  op.base = weight(TensorRole::output_hc_base);
  op.gain = weight(TensorRole::output_norm);
  op.output = weight(TensorRole::output);
  DS4_TRY(op.x, run.tensor(DS4_DTYPE_F32, {in.rows, config.streams, config.width},
                           std::as_bytes(std::span(in.x))));
  DS4_TRY(op.ids, run.tensor(DS4_DTYPE_I32, {in.rows}, std::as_bytes(std::span(ids))));
  DS4_TRY(op.logits,
          run.tensor(DS4_DTYPE_F32, {in.rows, static_cast<std::uint32_t>(parts.size())}, {}));
  op.eps = static_cast<double>(config.rms_epsilon);
  op.hc_eps = static_cast<double>(config.hc_epsilon);
  DS4_TRY(const bool has_op, run.run(op.op, in.rows));
  if (!has_op) return std::vector<float>();
  return run.read(op.logits);
}

}  // namespace

std::vector<std::int32_t> drawn_tokens(const Settings& settings, const ModelConfig& config) {
  conformance::Random random(settings.seed, "tokens");
  std::vector<std::int32_t> tokens;
  for (std::uint32_t i = 0; i < settings.tokens; ++i) {
    tokens.push_back(static_cast<std::int32_t>(random.below(config.vocab)));
  }
  return tokens;
}

Result<std::vector<float>> check_embedding(const ModelFile& model, const Sides& sides,
                                           const std::vector<std::int32_t>& tokens, Row& row) {
  // Each token's row once, under a number of its own.
  std::vector<std::uint32_t> parts(tokens.begin(), tokens.end());
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  std::vector<std::int32_t> ids;
  for (const std::int32_t token : tokens) {
    const auto at = std::lower_bound(parts.begin(), parts.end(), static_cast<std::uint32_t>(token));
    ids.push_back(static_cast<std::int32_t>(at - parts.begin()));
  }
  DS4_TRY(std::vector<float> wanted, embed_on(model, sides.reference, parts, ids));
  const SideResult got = embed_on(model, sides.judged, parts, ids);
  row.cases = tokens.size();
  if (!got) {
    row.state = State::fail;
    row.detail = got.error().what;
  } else if (got->empty()) {
    row.state = State::composed;
  } else if (std::memcmp(wanted.data(), got->data(), wanted.size() * sizeof(float)) != 0) {
    row.state = State::fail;
    row.detail = "the rows of tokens are not copied bit for bit";
  }
  return wanted;
}

Result<void> check_head(const ModelFile& model, const Sides& sides, const Settings& settings,
                        const std::vector<float>& x, Row& row) {
  const ModelConfig& config = model.config();
  const HeadInput in{model, x, settings.tokens};
  const TensorInfo& output = *model.global_tensor(TensorRole::output);
  const std::uint64_t row_bytes = std::max<std::uint64_t>(output.bytes / config.vocab, 1);
  const auto slice = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(kSliceBytes / row_bytes, 1, config.vocab));
  for (std::uint32_t begin = 0; begin < config.vocab; begin += slice) {
    std::vector<std::uint32_t> parts;
    for (std::uint32_t v = begin; v < std::min(begin + slice, config.vocab); ++v)
      parts.push_back(v);
    DS4_TRY(const std::vector<float> wanted, head_on(in, sides.reference, parts));
    const SideResult got = head_on(in, sides.judged, parts);
    ++row.cases;
    if (!got) {
      row.state = State::fail;
      row.detail = got.error().what;
      return {};
    }
    if (got->empty()) {
      row.state = State::composed;
      return {};
    }
    compare_rows(wanted, *got, static_cast<std::uint32_t>(parts.size()), settings.tolerance_scale,
                 row);
  }
  return {};
}

}  // namespace ds4::validate
