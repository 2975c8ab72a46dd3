#include "quantize/convert.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "base/thread_team.hpp"
#include "format/gguf_writer.hpp"
#include "format/quants/quants.hpp"
#include "quantize/checkpoint.hpp"
#include "quantize/hf_config.hpp"
#include "quantize/metadata.hpp"
#include "quantize/official_names.hpp"
#include "quantize/source_matrix.hpp"

namespace ds4::quantize {
namespace {

// Elements decoded at a time: bounds memory, and is enough work for every thread.
constexpr std::uint64_t kBandElements = std::uint64_t{1} << 23;

// One tensor of the output with the matrices of the checkpoint it is made of, one per expert.
struct Job {
  TensorSpec spec;
  Dtype dtype;
  std::vector<SourceMatrix> parts;
};

struct Plan {
  std::vector<Job> jobs;
  ConvertReport report;
};

// `dims` of one part as rows and columns.
std::uint64_t part_rows(const TensorSpec& spec) {
  return spec.dims.size() > 1 ? spec.dims[1] : 1;
}

Result<Job> make_job(const Checkpoint& checkpoint, const TensorSpec& spec, const Recipe& recipe,
                     std::set<std::string>& used) {
  Job job{spec, Dtype::f32, {}};
  const bool is_routed = is_routed_expert(spec.role);
  const std::uint64_t parts = is_routed ? spec.dims[2] : 1;
  for (std::uint64_t e = 0; e < parts; ++e) {
    std::string name =
        is_routed ? official_expert_name(spec.role, *spec.layer, static_cast<std::uint32_t>(e))
                  : official_name(spec.role, spec.layer);
    DS4_TRY(SourceMatrix part, SourceMatrix::bind(checkpoint, name, part_rows(spec), spec.dims[0]));
    job.parts.push_back(std::move(part));
    used.insert(std::move(name));
  }
  const auto is_fp4 = [](const SourceMatrix& part) { return part.is_fp4(); };
  job.dtype = recipe.of(spec.role, std::all_of(job.parts.begin(), job.parts.end(), is_fp4));
  return job;
}

// Counts what the checkpoint has beyond the main model. Scales belong to their weights.
void count_left_out(const Checkpoint& checkpoint, const std::set<std::string>& used,
                    ConvertReport& report) {
  constexpr std::string_view kScale = "scale";
  for (const std::string_view name : checkpoint.names()) {
    if (used.contains(std::string(name))) continue;
    if (name.ends_with(".scale")) {
      std::string weight(name.substr(0, name.size() - kScale.size()));
      if (used.contains(weight + "weight")) continue;
    }
    if (name.starts_with("mtp.")) {
      ++report.left_out_mtp;
      continue;
    }
    if (report.left_out_other++ == 0) report.left_out_example = name;
  }
}

Result<Plan> make_plan(const Checkpoint& checkpoint, const ModelConfig& config,
                       const Recipe& recipe) {
  Plan plan;
  std::set<std::string> used;
  for (const TensorSpec& spec : main_tensors(config)) {
    const bool is_absent = checkpoint.find(official_name(spec.role, spec.layer)) == nullptr;
    if (spec.is_optional && is_absent) continue;
    DS4_TRY(Job job, make_job(checkpoint, spec, recipe, used));
    plan.jobs.push_back(std::move(job));
  }
  count_left_out(checkpoint, used, plan.report);
  plan.report.tensors = plan.jobs.size();
  return plan;
}

// Encodes rows of one part on a team. Each thread owns a static share, so the first error by row is
// the same for every thread count.
class BandEncoder {
 public:
  BandEncoder(ThreadTeam& team, Dtype dtype, std::uint32_t experts)
      : team_(team), dtype_(dtype), experts_(experts), errors_(team.threads()) {}

  Result<void> encode(const SourceMatrix& part, std::uint64_t first, std::uint64_t rows,
                      std::uint64_t row_bytes, std::byte* out) {
    part_ = &part;
    first_ = first;
    rows_ = rows;
    row_bytes_ = row_bytes;
    out_ = out;
    std::fill(errors_.begin(), errors_.end(), std::nullopt);
    team_.run(&BandEncoder::body, this);
    for (const auto& error : errors_) {
      if (error) return *error;
    }
    return {};
  }

 private:
  static void body(void* self, std::uint32_t thread, std::uint32_t threads) {
    auto& encoder = *static_cast<BandEncoder*>(self);
    const std::uint64_t begin = encoder.rows_ * thread / threads;
    const std::uint64_t end = encoder.rows_ * (thread + 1) / threads;
    std::vector<float> values(encoder.part_->columns());
    for (std::uint64_t row = begin; row < end; ++row) {
      auto done = encoder.encode_row(encoder.first_ + row, values.data(),
                                     encoder.out_ + row * encoder.row_bytes_);
      if (done) continue;
      encoder.errors_[thread] = done.error();
      return;
    }
  }

  Result<void> encode_row(std::uint64_t row, float* values, std::byte* out) const {
    if (dtype_ == Dtype::i32) return copy_table_row(row, reinterpret_cast<std::int32_t*>(out));
    if (dtype_ == Dtype::mxfp4 && part_->is_fp4()) return part_->read_row_mxfp4(row, out);
    DS4_CHECK(part_->read_row(row, values));
    auto done = quantize_row(dtype_, values, out, part_->columns());
    if (done) return {};
    return Error{Errc::bad_file, done.error().what}.in("row ", row);
  }

  Result<void> copy_table_row(std::uint64_t row, std::int32_t* out) const {
    DS4_CHECK(part_->read_row_i32(row, out));
    for (std::uint64_t i = 0; i < part_->columns(); ++i) {
      if (out[i] >= 0 && static_cast<std::uint32_t>(out[i]) < experts_) continue;
      return fail(Errc::bad_file, "token ", row, " routes to expert ", out[i], ", there are ",
                  experts_);
    }
    return {};
  }

  ThreadTeam& team_;
  Dtype dtype_;
  std::uint32_t experts_;
  std::vector<std::optional<Error>> errors_;
  const SourceMatrix* part_ = nullptr;
  std::uint64_t first_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t row_bytes_ = 0;
  std::byte* out_ = nullptr;
};

Result<void> write_tensor(const Job& job, std::uint32_t experts, ThreadTeam& team,
                          GgufWriter& writer) {
  DS4_TRY(const std::uint64_t bytes, row_bytes(job.dtype, job.spec.dims[0]));
  BandEncoder encoder(team, job.dtype, experts);
  const std::uint64_t band = std::max<std::uint64_t>(1, kBandElements / job.spec.dims[0]);
  std::vector<std::byte> buffer;
  for (const SourceMatrix& part : job.parts) {
    for (std::uint64_t first = 0; first < part.rows(); first += band) {
      const std::uint64_t rows = std::min(band, part.rows() - first);
      buffer.resize(rows * bytes);
      DS4_CHECK(encoder.encode(part, first, rows, bytes, buffer.data()));
      DS4_CHECK(writer.write(buffer));
    }
  }
  return {};
}

std::uint64_t count_repacked(const Job& job) {
  if (job.dtype != Dtype::mxfp4) return 0;
  return static_cast<std::uint64_t>(std::count_if(
      job.parts.begin(), job.parts.end(), [](const SourceMatrix& part) { return part.is_fp4(); }));
}

Result<void> write_all(const Plan& plan, const ConvertOptions& options, const ModelConfig& config,
                       GgufHeader header, const ProgressSink& progress) {
  const std::uint64_t total = header.data_bytes();
  DS4_TRY(GgufWriter writer, GgufWriter::create(options.output, std::move(header)));
  ThreadTeam team(std::max(1U, options.threads));
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const Job& job = plan.jobs[i];
    if (progress) {
      progress({i, plan.jobs.size(), job.spec.name, job.dtype, writer.current()->offset, total});
    }
    auto done = write_tensor(job, config.experts, team, writer);
    if (!done) return done.error().in("tensor ", job.spec.name);
  }
  return writer.finish();
}

// The folder's own name; "." and a trailing slash lead to the real one.
std::string model_name(const std::filesystem::path& folder) {
  std::error_code code;
  const std::filesystem::path full = std::filesystem::weakly_canonical(folder, code);
  return (code ? folder : full).filename().string();
}

}  // namespace

Result<ConvertReport> convert(const ConvertOptions& options, const ProgressSink& progress) {
  DS4_TRY(const HfConfig config, read_hf_config(options.source));
  DS4_TRY(const Checkpoint checkpoint, Checkpoint::open(options.source));
  DS4_TRY(Plan plan, make_plan(checkpoint, config.model, options.recipe));

  // Behind the plan, which has compared vocab_size with the embedding.
  std::optional<TokenTable> tokens;
  if (options.with_tokenizer) {
    auto table = read_hf_tokenizer(options.source, config.model.vocab);
    if (!table) return table.error();
    tokens = *std::move(table);
  }

  GgufHeader header;
  add_metadata(header, config, model_name(options.source), tokens);
  for (const Job& job : plan.jobs) {
    DS4_CHECK(header.add_tensor(job.spec.name, job.spec.dims, job.dtype));
    plan.report.repacked_experts += count_repacked(job);
  }
  plan.report.file_bytes = header.encode().size() + header.data_bytes();
  if (!options.is_dry_run) {
    DS4_CHECK(write_all(plan, options, config.model, std::move(header), progress));
  }
  return plan.report;
}

}  // namespace ds4::quantize
