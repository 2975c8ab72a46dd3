#include "bench/ops/step_stand.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "kv/step_writer.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

constexpr std::uint32_t kNoiseRows = 256;

const std::vector<float>& noise() {
  static const std::vector<float> values = [] {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> out(std::size_t{1} << 20);
    for (float& value : out) value = normal(random);
    return out;
  }();
  return values;
}

}  // namespace

Result<void> fill_with_noise(const plugins::Stream& stream, const plugins::Buffer& buffer) {
  const auto bytes = std::as_bytes(std::span(noise()));
  for (std::uint64_t at = 0; at < buffer.bytes(); at += bytes.size()) {
    DS4_CHECK(stream.write(
        buffer, at, bytes.first(std::min<std::uint64_t>(bytes.size(), buffer.bytes() - at))));
  }
  return stream.sync();
}

Result<std::unique_ptr<StepStand>> StepStand::make(std::shared_ptr<plugins::Device> device,
                                                   const ModelConfig& config,
                                                   const Roundings& roundings,
                                                   const WeightTable& weights, std::uint32_t rows,
                                                   std::uint32_t context, const BufferKeys& keys) {
  std::unique_ptr<StepStand> stand(new StepStand());
  stand->device_ = std::move(device);
  stand->config_ = config;
  stand->roundings_ = roundings;
  stand->rows_ = rows;
  stand->context_ = context;
  stand->memory_ = stand->device_->info().memory[0].kind;
  DS4_CHECK(stand->create(weights, keys));
  DS4_CHECK(stand->write_block());
  DS4_CHECK(stand->prepare());
  return stand;
}

Result<void> StepStand::create(const WeightTable& weights, const BufferKeys& keys) {
  classes_ = ratio_classes(config_);
  DS4_TRY(kv_, KvLayout::make(config_, roundings_, {1, context_, 100}));
  DS4_TRY(stream_, device_->create_stream());
  const bool has_pool = !classes_.empty();
  std::vector<std::int32_t> pages(has_pool ? std::max(kv_.classes[0].session_pages, 1U) : 1U);
  std::iota(pages.begin(), pages.end(), 0);
  DS4_TRY(table_,
          device_->create_buffer(pages.size() * sizeof(std::int32_t), memory_, DS4_USAGE_STEP));
  DS4_CHECK(stream_->write(*table_, 0, std::as_bytes(std::span(pages))));
  DS4_CHECK(stream_->sync());
  DS4_TRY(sampled_, device_->create_buffer(64, memory_, DS4_USAGE_STEP));
  DS4_TRY(logits_, device_->create_buffer(std::uint64_t{config_.vocab} * sizeof(float), memory_,
                                          DS4_USAGE_ACTIVATION));

  PlanInputs inputs;
  inputs.config = &config_;
  inputs.roundings = roundings_;
  inputs.global = weights;
  inputs.layers = {weights};
  std::vector<ds4_buffer*> pools;
  if (has_pool) pools.push_back(BufferKeys::handle(keys.pool));
  inputs.kv = kv_.views(config_, BufferKeys::handle(keys.rings), pools);
  if (has_pool) inputs.page_tables.push_back(kv_.page_table(0, table_->handle()));
  inputs.max_compressed = has_pool ? context_ / ratio() : 0;
  inputs.sampled = make_view(sampled_->handle(), 0, DS4_DTYPE_I32, {1});
  inputs.logits = make_view(logits_->handle(), 0, DS4_DTYPE_F32, {1, config_.vocab});
  // What the device lacks is composed when the kernel is set up.
  const AskSupport all = [](const ds4_op&) -> Result<plugins::OpSupport> {
    return plugins::OpSupport{plugins::SupportLevel::native, {}};
  };
  const StepClass step = rows_ == 1 ? StepClass{1, 0, 1} : StepClass{0, rows_, 1};
  inputs.step = StepLayout::make(step, classes_, nullptr);
  DS4_TRY(const Plan sized, Plan::build(inputs, all));
  DS4_TRY(arena_, device_->create_buffer(sized.arena_bytes(), memory_, DS4_USAGE_ACTIVATION));
  DS4_TRY(block_, device_->create_buffer(inputs.step.words * sizeof(std::int32_t), memory_,
                                         DS4_USAGE_STEP));
  inputs.arena = arena_->handle();
  inputs.step = StepLayout::make(step, classes_, block_->handle());
  DS4_TRY(plan_, Plan::build(inputs, all));
  return {};
}

Result<void> StepStand::write_block() {
  SessionState session;
  session.position = session.high = position();
  session.tokens.assign(session.position, 0);
  if (!classes_.empty()) {
    session.pages[0].resize(kv_.classes[0].session_pages);
    std::iota(session.pages[0].begin(), session.pages[0].end(), 0U);
  }
  std::mt19937 random(1);
  std::vector<std::int32_t> tokens(rows_);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % config_.vocab);
  std::vector<std::uint8_t> wants(rows_, 0);
  wants.back() = 1;
  const StepSegment segment{&session, tokens, wants};
  const StepGeometry geometry{1, config_.window, kv_.ring_capacity, classes_};
  std::vector<std::int32_t> words(plan_->step().words);
  const bool is_decode = rows_ == 1;
  write_step(plan_->step(), geometry,
             is_decode ? std::span(&segment, 1) : std::span<const StepSegment>{},
             is_decode ? nullptr : &segment, 0, words);
  DS4_CHECK(stream_->write(*block_, 0, std::as_bytes(std::span(words))));
  return stream_->sync();
}

Result<void> StepStand::prepare() {
  DS4_CHECK(fill_with_noise(*stream_, *arena_));
  DS4_CHECK(fill_with_noise(*stream_, *logits_));
  const std::uint32_t widest = 4 * std::max(config_.head_dim, config_.index_dim);
  DS4_TRY(noise_, device_->create_buffer(std::uint64_t{kNoiseRows} * widest * sizeof(float),
                                         memory_, DS4_USAGE_ACTIVATION));
  DS4_CHECK(fill_with_noise(*stream_, *noise_));
  // Ids in the arena that ops read: noise is none.
  std::vector<const ds4_op*> ids;
  for (const ds4_op* op : plan_->ops()) {
    if (op->id == DS4_OP_RESOLVE_TOKENS || op->id == DS4_OP_FILL) ids.push_back(op);
  }
  return run(ids);
}

Result<void> StepStand::run(std::span<const ds4_op* const> ops) const {
  if (ops.empty()) return {};
  DS4_TRY(const std::uint64_t bytes, device_->workspace_size(ops));
  DS4_TRY(const plugins::Buffer workspace,
          device_->create_buffer(bytes, memory_, DS4_USAGE_ACTIVATION));
  ds4_submission submission{};
  submission.count = static_cast<std::uint32_t>(ops.size());
  submission.ops = ops.data();
  submission.step = block();
  if (bytes != 0) {
    submission.workspace = make_view(workspace.handle(), 0, DS4_DTYPE_F32,
                                     {static_cast<std::uint32_t>((bytes + 3) / 4)});
  }
  DS4_CHECK(stream_->enqueue(submission));
  return stream_->sync();
}

Result<void> StepStand::fill_rows(ds4_buffer* rings, ds4_buffer* pool) const {
  std::vector<ds4_buffer*> pools;
  if (!classes_.empty()) pools.push_back(pool);
  const LayerKv kv = kv_.views(config_, rings, pools)[0];
  for (const ds4_view& rows : {kv.ring, kv.pairs, kv.index_pairs, kv.pool, kv.index_pool}) {
    if (rows.rank == 0) continue;
    const std::uint32_t count = rows.extent[rows.rank - 2];
    const std::uint64_t stride = rows.stride[rows.rank - 2];
    for (std::uint32_t first = 0; first < count; first += kNoiseRows) {
      const std::uint32_t part = std::min(kNoiseRows, count - first);
      auto cast = make_op<ds4_op_copy_cast>(DS4_OP_COPY_CAST);
      cast.rows = range_all(part);
      cast.x = make_view(noise_->handle(), 0, DS4_DTYPE_F32, {part, view_width(rows)});
      cast.y = make_view(rows.buffer, rows.offset + first * stride, rows.dtype,
                         {part, view_width(rows)}, rows.row_tail);
      cast.y.stride[0] = stride;
      const ds4_op* ops[] = {&cast.op};
      DS4_CHECK(run(ops));
    }
  }
  return {};
}

}  // namespace ds4::bench
