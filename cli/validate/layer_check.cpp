#include "validate/layer_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "format/quants/quants.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"
#include "tests/conformance/harness/random.hpp"
#include "validate/layer_compare.hpp"
#include "validate/layer_history.hpp"
#include "validate/layer_plan.hpp"
#include "validate/layer_side.hpp"

namespace ds4::validate {
namespace {

/// Ratio 128 finishes a row in front of it, ratio 4 several.
constexpr std::uint32_t kCrossing = 128;
constexpr std::uint32_t kContext = 256;
constexpr std::uint32_t kMostSingleRows = 16;

/// One layer on both sides while it is checked.
class LayerCheck {
 public:
  LayerCheck(const ModelFile& model, const Sides& sides, const Settings& settings,
             std::uint32_t layer, Row& row)
      : model_(model), sides_(sides), settings_(settings), layer_(layer), row_(row) {}

  Result<std::vector<float>> run(const std::vector<std::int32_t>& tokens,
                                 const std::vector<float>& x) {
    const auto count = static_cast<std::uint32_t>(tokens.size());
    const std::uint32_t prefill =
        std::max(std::max(count / 2, 1U), count > kMostSingleRows ? count - kMostSingleRows : 0U);
    DS4_CHECK(check_layer_memory(model_, settings_, layer_));
    DS4_CHECK(open({prefill, count - prefill}));
    SessionState session;
    session.position = session.high = kCrossing - prefill;
    session.tokens.assign(session.position, 0);
    if (!setup_.kv.classes.empty()) {
      for (std::uint32_t i = 0; i < setup_.kv.classes[0].session_pages; ++i) {
        session.pages[0].push_back(i);
      }
    }
    std::vector<float> out(x.size());
    const std::size_t row_values = x.size() / count;
    std::uint32_t done = 0;
    for (std::size_t step = 0; step < setup_.steps.size(); ++step) {
      const std::uint32_t rows = setup_.steps[step].rows();
      const auto part = std::span(tokens).subspan(done, rows);
      DS4_CHECK(write_step_block(step, session, part));
      const auto from = std::span(x).subspan(done * row_values, rows * row_values);
      const auto to = std::span(out).subspan(done * row_values, rows * row_values);
      DS4_CHECK(run_step(step, session.position, from, to));
      session.tokens.insert(session.tokens.end(), part.begin(), part.end());
      session.position += rows;
      session.high = session.position;
      done += rows;
    }
    finish();
    return out;
  }

 private:
  Result<void> open(std::pair<std::uint32_t, std::uint32_t> rows) {
    setup_.config = model_.config().single_layer(layer_);
    setup_.classes = ratio_classes(setup_.config);
    DS4_TRY(setup_.kv, KvLayout::make(setup_.config, setup_.roundings, {1, kContext, 100}));
    setup_.steps.push_back({0, rows.first, 0});
    if (rows.second != 0) setup_.steps.push_back({rows.second, 0, 0});
    DS4_TRY(reference_, open_side(sides_.reference));
    auto judged = open_side(sides_.judged);
    if (judged) {
      judged_ = *std::move(judged);
    } else {
      wrong("the layer cannot be set up: " + judged.error().what);
    }
    conformance::Random random(settings_.seed, "history of layer " + std::to_string(layer_));
    DS4_CHECK(reference_->read(state_));
    std::fill(state_.arena.begin(), state_.arena.end(), std::byte{0});
    fill_history(setup_, random, state_);
    return {};
  }

  Result<std::unique_ptr<LayerSide>> open_side(const std::shared_ptr<plugins::Device>& device) {
    HeldWeights weights;
    WeightImporter importer(model_, *device);
    const std::uint32_t first[] = {0};
    const ModelConfig& config = model_.config();
    for (const TensorRole role : layer_roles(config.ratio(layer_), config.is_hash_routed(layer_))) {
      DS4_CHECK(holds_experts(role) ? importer.import_parts(role, layer_, first, weights)
                                    : importer.import(role, layer_, weights));
    }
    return LayerSide::make(device, setup_, std::move(weights));
  }

  Result<void> write_step_block(std::size_t step, const SessionState& session,
                                std::span<const std::int32_t> tokens) {
    const StepLayout& layout = reference_->layout(step);
    StepGeometry geometry;
    geometry.slots = 1;
    geometry.window = setup_.config.window;
    geometry.ring_capacity = setup_.kv.ring_capacity;
    geometry.classes = setup_.classes;
    const std::vector<std::uint8_t> wants(tokens.size(), 0);
    const StepSegment segment{&session, tokens, wants};
    std::vector<std::int32_t> words(layout.words);
    const bool is_prefill = layout.step_class.prefill_rows != 0;
    write_step(layout, geometry,
               is_prefill ? std::span<const StepSegment>{} : std::span(&segment, 1),
               is_prefill ? &segment : nullptr, 0, words);
    DS4_CHECK(reference_->write_step(words));
    if (judged_) note(judged_->write_step(words), "the step block");
    return {};
  }

  Result<void> run_step(std::size_t step, std::uint32_t position, std::span<const float> from,
                        std::span<float> to) {
    const std::size_t groups = reference_->groups(step);
    ds4_view stream{};
    for (std::size_t g = 0; g < groups; ++g) {
      const ds4_op& op = reference_->described(step, g);
      if (op.id == DS4_OP_EMBED_STREAMS) {
        // The layer's input is given, not looked up.
        stream = reinterpret_cast<const ds4_op_embed_streams&>(op).x;
        std::memcpy(&state_.arena[stream.offset], from.data(), from.size_bytes());
        continue;
      }
      DS4_CHECK(run_group(step, g, op, position));
    }
    std::memcpy(to.data(), &state_.arena[stream.offset], to.size_bytes());
    return {};
  }

  Result<void> run_group(std::size_t step, std::size_t group, const ds4_op& op,
                         std::uint32_t position) {
    Experts experts;
    const bool is_routed = op.id == DS4_OP_MOE_ROUTED;
    if (is_routed) DS4_CHECK(take_experts(op, experts));
    DS4_CHECK(reference_->write(state_));
    if (judged_) note(judged_->write(state_), op_name(op.id));
    DS4_CHECK(reference_->run(step, group, is_routed ? &experts.reference.table : nullptr));
    if (judged_) {
      note(judged_->run(step, group, is_routed ? &experts.judged.table : nullptr), op_name(op.id));
    }
    LayerState got;
    DS4_CHECK(reference_->read(state_));
    if (judged_) {
      note(judged_->read(got), op_name(op.id));
      if (judged_) compare(op, position, got);
    }
    if (is_routed) put_ints(experts.ids_view, experts.ids, state_);
    return {};
  }

  struct Experts {
    HeldWeights reference, judged;
    ds4_view ids_view{};
    std::vector<std::int32_t> ids;
  };

  /// The experts that the reference chose, under numbers of their own.
  Result<void> take_experts(const ds4_op& op, Experts& experts) {
    experts.ids_view = reinterpret_cast<const ds4_op_moe_routed&>(op).ids;
    experts.ids = ints_of(experts.ids_view, state_);
    std::set<std::uint32_t> chosen;
    for (const std::int32_t id : experts.ids) {
      if (id >= 0) chosen.insert(static_cast<std::uint32_t>(id));
    }
    if (chosen.empty()) chosen.insert(0);
    const std::vector<std::uint32_t> parts(chosen.begin(), chosen.end());
    WeightImporter reference(model_, *sides_.reference);
    WeightImporter judged(model_, *sides_.judged);
    for (const TensorRole role : kExpertRoles) {
      DS4_CHECK(reference.import_parts(role, layer_, parts, experts.reference));
      if (judged_) note(judged.import_parts(role, layer_, parts, experts.judged), "experts");
    }
    std::vector<std::int32_t> renamed = experts.ids;
    for (std::int32_t& id : renamed) {
      if (id < 0) continue;
      const auto at = std::lower_bound(parts.begin(), parts.end(), static_cast<std::uint32_t>(id));
      id = static_cast<std::int32_t>(at - parts.begin());
    }
    put_ints(experts.ids_view, renamed, state_);
    return {};
  }

  void compare(const ds4_op& op, std::uint32_t position, const LayerState& got) {
    ++row_.cases;
    std::vector<std::uint32_t> columns;
    if (op.id == DS4_OP_INDEX_SCORE) {
      const ds4_view& scores = reinterpret_cast<const ds4_op_index_score&>(op).scores;
      for (std::uint32_t r = 0; r < scores.extent[0]; ++r) {
        columns.push_back((position + r + 1) / setup_.classes[0].ratio);
      }
    }
    for (const OpOutput& output : outputs_of(op)) {
      const std::string name = std::string(op_name(op.id)) + "." + output.name;
      if (output.nearness == Nearness::chosen) {
        if (!compare_choice(reinterpret_cast<const ds4_op_route&>(op), got)) return;
        continue;
      }
      const OutputComparison found =
          compare_output(output, *reference_, state_, got, columns, settings_.tolerance_scale);
      if (found.is_wrong()) {
        wrong(name + " row " + std::to_string(found.wrong().row) + " is off by " +
              short_number(found.wrong().error) + ", limit " + short_number(found.wrong().limit));
      } else if (found.is_reduced()) {
        reduced_.insert(name);
      }
      const RowDistance& worst = found.worst();
      const bool is_worse =
          !row_.has_error || worst.error * row_.limit > row_.worst_error * worst.limit;
      if (output.nearness != Nearness::exact && worst.limit > 0 && is_worse) {
        row_.has_error = true;
        row_.worst_error = worst.error;
        row_.limit = worst.limit;
      }
    }
  }

  /// False when the sets differ: the weights then belong to others.
  bool compare_choice(const ds4_op_route& op, const LayerState& got) {
    const std::vector<std::int32_t> wanted = ints_of(op.ids, state_);
    const std::vector<std::int32_t> given = ints_of(op.ids, got);
    const std::uint32_t k = op.ids.extent[1];
    bool is_same = true;
    for (std::uint32_t r = 0; r < op.ids.extent[0]; ++r) {
      choices_ += k;
      const auto a = std::span(wanted).subspan(std::size_t{r} * k, k);
      const auto b = std::span(given).subspan(std::size_t{r} * k, k);
      if (std::equal(a.begin(), a.end(), b.begin())) continue;
      is_same = false;
      const double margin = choice_margin(a, b, [&](std::int32_t id) { return score(op, r, id); });
      ++differing_choices_;
      worst_margin_ = std::max(worst_margin_, margin);
      if (margin > kReducedMargin * settings_.tolerance_scale) {
        wrong("route.ids row " + std::to_string(r) +
              ": another choice of experts, by a margin of " + short_number(margin));
      } else if (margin > kExpertMargin * settings_.tolerance_scale) {
        reduced_.insert("route.ids");
      }
    }
    return is_same;
  }

  /// The biased score of an expert, from the file (model.md 3.12).
  double score(const ds4_op_route& op, std::uint32_t row, std::int32_t id) {
    const TensorInfo* gate = model_.layer_tensor(layer_, TensorRole::ffn_gate_inp);
    if (gate == nullptr || id < 0 || static_cast<std::uint32_t>(id) >= model_.config().experts) {
      return INFINITY;
    }
    const std::uint64_t width = gate->dims[0];
    const std::uint64_t bytes = gate->bytes / model_.config().experts;
    std::vector<float> weights(width);
    const auto* from = model_.bytes(*gate).data() + static_cast<std::uint64_t>(id) * bytes;
    if (!dequantize_row(gate->dtype, from, weights.data(), width)) return INFINITY;
    const std::vector<float> v = floats_of(op.v, state_);
    double z = 0;
    for (std::uint64_t i = 0; i < width; ++i) {
      z += static_cast<double>(weights[i]) * static_cast<double>(v[row * width + i]);
    }
    double result = std::sqrt(z > 20 ? z : std::log1p(std::exp(z)));
    if (const TensorInfo* bias = model_.layer_tensor(layer_, TensorRole::exp_probs_bias)) {
      float value = 0;
      std::memcpy(&value, model_.bytes(*bias).data() + static_cast<std::uint64_t>(id) * 4, 4);
      result += static_cast<double>(value);
    }
    return result;
  }

  void wrong(const std::string& what) {
    row_.state = State::fail;
    if (wrong_count_++ < 3) row_.detail += (row_.detail.empty() ? "" : "; ") + what;
  }

  /// A call of the judged side that failed ends its part in this layer.
  void note(const Result<void>& done, std::string_view where) {
    if (done) return;
    wrong(std::string(where) + ": " + done.error().what);
    judged_.reset();
  }

  void finish() {
    if (wrong_count_ > 3) row_.detail += "; " + std::to_string(wrong_count_ - 3) + " more";
    std::string remarks;
    if (differing_choices_ != 0) {
      remarks += std::to_string(differing_choices_) + " of " + std::to_string(choices_) +
                 " choices of experts differ, by margins up to " + short_number(worst_margin_);
    }
    if (!reduced_.empty()) {
      remarks += (remarks.empty() ? "" : "; ") + std::string("at reduced precision:");
      for (const std::string& name : reduced_) remarks += " " + name;
      row_.is_reduced = true;
    }
    if (!remarks.empty()) row_.detail += (row_.detail.empty() ? "" : "; ") + remarks;
  }

  const ModelFile& model_;
  const Sides& sides_;
  const Settings& settings_;
  std::uint32_t layer_;
  Row& row_;
  LayerSetup setup_;
  std::unique_ptr<LayerSide> reference_, judged_;
  LayerState state_;  // the reference's, after the last group
  std::set<std::string> reduced_;
  std::size_t wrong_count_ = 0;
  std::size_t choices_ = 0;
  std::size_t differing_choices_ = 0;
  double worst_margin_ = 0;
};

}  // namespace

Result<std::vector<float>> check_layer(const ModelFile& model, const Sides& sides,
                                       const Settings& settings, std::uint32_t layer,
                                       const std::vector<std::int32_t>& tokens,
                                       const std::vector<float>& x, Row& row) {
  return LayerCheck(model, sides, settings, layer, row).run(tokens, x);
}

}  // namespace ds4::validate
