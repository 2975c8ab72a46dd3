#include "bench/ops/ops_run.hpp"

#include <algorithm>
#include <regex>
#include <set>
#include <tuple>

#include "base/host_memory.hpp"
#include "bench/ops/op_timing.hpp"
#include "bench/ops/plan_kernels.hpp"
#include "bench/ops/product_kernels.hpp"
#include "bench/ops/rotation.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

/// Bytes that copies of weights and rows may take: half of what is left.
std::uint64_t memory_for(const plugins::Device& device) {
  if (!device.uses_host_memory()) return device.info().free_bytes / 2;
  const HostMemory memory = read_host_memory();
  const MemoryBound* const tightest = memory.tightest();
  return tightest == nullptr ? 0 : tightest->available / 2;
}

/// A cell of a CSV is on one line and holds no comma.
std::string cell_text(std::string text) {
  std::replace(text.begin(), text.end(), ',', ';');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// Whether an op has the more to do the longer the context is.
bool depends_on_context(const ds4_op& op) {
  switch (op.id) {
    case DS4_OP_INDEX_SCORE:
    case DS4_OP_INDEX_TOPK:
      return true;
    case DS4_OP_ATTN_DECODE:
    case DS4_OP_ATTN_PREFILL_WINDOW:
    case DS4_OP_ATTN_PREFILL_MIXED:
    case DS4_OP_ATTN_INDEXED:
      return reinterpret_cast<const ds4_op_attention&>(op).source[2].kind != DS4_SOURCE_NONE;
    default:
      return false;
  }
}

class Timer {
 public:
  Timer(const OpsOptions& options, const OpsRun& run)
      : options_(options), run_(run), filter_(options.filter) {}

  Result<void> run() {
    const AskWeight ask = [this](const ds4_weight_desc& desc) {
      return run_.device->weight_query(desc);
    };
    DS4_TRY(shapes_, ModelShapes::of(*run_.model, ask));
    DS4_TRY(const std::vector<const ShapedWeight*> formats,
            format_shapes(*run_.device, config(), formats_));
    for (const std::uint32_t rows : options_.rows) {
      for (const ShapedWeight* weight : formats) DS4_CHECK(time_product(*weight, rows));
      DS4_CHECK(time_products(rows));
      for (const LayerShapes& layer : shapes_.layers) DS4_CHECK(time_layer(layer, rows));
    }
    if (was_named_) return {};
    return fail(Errc::not_found, "--op ", options_.filter,
                ": no kernel has such a name; `--op '.*'`"
                " lists all");
  }

 private:
  [[nodiscard]] const ModelConfig& config() const { return run_.model->config(); }
  [[nodiscard]] bool wants(const std::string& name) {
    const bool is_wanted = std::regex_match(name, filter_);
    was_named_ |= is_wanted;
    return is_wanted;
  }

  Result<void> time_products(std::uint32_t rows) {
    for (const LayerShapes& layer : shapes_.layers) {
      for (const ShapedWeight* weight : layer.of_layer) {
        if (is_matrix(*weight)) DS4_CHECK(time_product(*weight, rows));
        if (weight->name != "attn_norm" || !wants("rms_norm")) continue;
        DS4_CHECK(time_alone(norm_of(*run_.device, *weight, rows), "rms_norm", rows));
      }
    }
    for (const ShapedWeight* weight : shapes_.global) {
      if (is_matrix(*weight)) DS4_CHECK(time_product(*weight, rows));
    }
    return {};
  }

  Result<void> time_product(const ShapedWeight& weight, std::uint32_t rows) {
    if (!wants(weight.name)) return {};
    return time_alone(product_of(*run_.device, weight, config(), rows, keys_), weight.name, rows);
  }

  Result<void> time_alone(const Result<Product>& product, const std::string& name,
                          std::uint32_t rows) {
    if (product) return time_one(product->kernel, nullptr, no_step());
    return leave_out(row_of(name, rows), product.error());
  }

  Result<void> time_layer(const LayerShapes& layer, std::uint32_t rows) {
    bool is_first = true;
    for (const std::uint32_t context : options_.contexts) {
      const auto stand =
          StepStand::make(run_.device, config().single_layer(layer.layer),
                          options_.runtime.roundings, layer.table, rows, context, keys_);
      if (!stand) {
        OpRow row = row_of("step.r" + std::to_string(config().ratio(layer.layer)), rows);
        row.context = context;
        was_named_ = true;  // perhaps one of its kernels, which are not known without it
        DS4_CHECK(leave_out(std::move(row), stand.error()));
        continue;
      }
      const auto is_wanted = [this, is_first](const std::string& name, const ds4_op& op) {
        return wants(name) && (is_first || depends_on_context(op));
      };
      for (const Kernel& kernel : plan_kernels(**stand, shapes_, layer, keys_, is_wanted)) {
        DS4_CHECK(
            time_one(kernel, stand->get(), (*stand)->block(), depends_on_context(kernel.op.op())));
      }
      is_first = false;
    }
    return {};
  }

  Result<void> time_one(const Kernel& kernel, const StepStand* stand, const ds4_view& step,
                        bool depends = false) {
    OpRow row = row_of(kernel.name, kernel.rows);
    row.shape = kernel.shape;
    row.types = kernel.types;
    row.context = depends ? kernel.context : 0;
    row.bytes = kernel.cost.bytes;
    if (!is_new(row)) return {};
    auto rotation = Rotation::make(run_.device, kernel, keys_, kernel.reads_rows ? stand : nullptr,
                                   {options_.set_bytes, memory_for(*run_.device)});
    if (!rotation) return say_why_not(std::move(row), rotation.error());
    const auto timing =
        time_kernel(*run_.device, *rotation, step, options_.least_ms / 1e3, run_.cancelled);
    if (!timing) return say_why_not(std::move(row), timing.error());
    fill(row, kernel, *timing);
    row.set_mib = rotation->bytes() >> 20;
    if (rotation->is_composed()) row.note = "composed";
    if (rotation->is_short()) row.note += row.note.empty() ? "small set" : "; small set";
    return run_.on_row(row);
  }

  [[nodiscard]] OpRow row_of(const std::string& name, std::uint32_t rows) const {
    OpRow row;
    row.kernel = name;
    row.rows = rows;
    row.backend = run_.backend;
    row.probe_gbps = run_.probe.bytes_per_second / 1e9;
    return row;
  }

  /// Layers share most of their kernels.
  bool is_new(const OpRow& row) {
    return known_.insert({row.kernel, row.shape, row.types, row.rows, row.context}).second;
  }

  /// A kernel that could not even be made ready, by its name alone.
  Result<void> leave_out(OpRow row, const Error& why) {
    if (is_new(row)) return say_why_not(std::move(row), why);
    return {};
  }

  /// One that memory or the device has no room for says so in its row; the others go on.
  Result<void> say_why_not(OpRow row, const Error& why) {
    if (why.code != Errc::out_of_memory && why.code != Errc::unsupported) return why;
    row.note = cell_text("not run: " + why.what);
    return run_.on_row(row);
  }

  void fill(OpRow& row, const Kernel& kernel, const OpTiming& timing) const {
    row.samples = timing.samples;
    row.us_median = timing.us_median;
    row.us_cpu = timing.us_processor;
    const double seconds = timing.us_median / 1e6;
    row.gbps = row.bytes / seconds / 1e9;
    row.gmacs = kernel.cost.macs / seconds / 1e9;
    if (run_.probe.bytes_per_second > 0) {
      row.ratio_to_probe = row.bytes / seconds / run_.probe.bytes_per_second;
    }
    if (run_.probe.processor_bytes_per_second > 0 && timing.us_processor > 0) {
      row.ratio_cpu =
          row.bytes / (timing.us_processor / 1e6) / run_.probe.processor_bytes_per_second;
    }
  }

  /// Products take their rows from the descriptor alone.
  [[nodiscard]] static const ds4_view& no_step() {
    static const ds4_view view{};
    return view;
  }

  const OpsOptions& options_;
  const OpsRun& run_;
  const std::regex filter_;
  const BufferKeys keys_;
  ModelShapes shapes_;
  WeightShapes formats_;
  std::set<std::tuple<std::string, std::string, std::string, std::uint32_t, std::uint32_t>> known_;
  bool was_named_ = false;  // some kernel by --op
};

}  // namespace

Result<void> time_ops(const OpsOptions& options, const OpsRun& run) {
  return Timer(options, run).run();
}

}  // namespace ds4::bench
