#include "engine/shadow.hpp"

#include <algorithm>
#include <limits>

#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

bool overlaps(const ds4_view& a, const ds4_view& b) {
  return a.buffer == b.buffer && a.offset < b.offset + view_span_bytes(b) &&
         b.offset < a.offset + view_span_bytes(a);
}

/// Whether rows of the outermost extent lie so far apart that something else lies between them.
bool has_gaps(const ds4_view& view) {
  return view.rank == 3 && view.stride[0] != view.extent[1] * view.stride[1];
}

/// Calls take(row, rows, bytes from the first to the last of them) for runs of rows of a view.
template <class Take>
Result<void> each_run(const ViewRows& rows, Take take) {
  for (std::uint64_t row = 0; row < rows.count();) {
    const std::uint64_t count = rows.run(row, kShadowChunkBytes);
    DS4_CHECK(take(row, count, rows.offset(row + count - 1) - rows.offset(row) + rows.bytes()));
    row += count;
  }
  return {};
}

}  // namespace

Shadow::Shadow(const ShadowOptions& options, const plugins::Device& judged,
               const ShadowSetup& setup)
    : options_(options),
      judged_(judged),
      stream_(*setup.stream),
      model_(*setup.model),
      log_(setup.log) {
  report_.device = options.device->backend().name();
}

Result<std::unique_ptr<Shadow>> Shadow::open(const ShadowOptions& options,
                                             const plugins::Device& judged,
                                             const ShadowSetup& setup) {
  std::unique_ptr<Shadow> shadow(new Shadow(options, judged, setup));
  auto side = ShadowSide::open(options.device, setup);
  if (!side) return side.error().in("shadow ", shadow->report_.device);
  shadow->side_ = *std::move(side);
  return shadow;
}

Result<void> Shadow::enqueue(const ds4_submission& submission, const StepFacts& step) {
  step_ = static_cast<std::uint32_t>(step.words[DS4_STEP_SERIAL]);
  const bool is_due = report_.steps++ % options_.every == 0;
  if (!is_due) return stream_.enqueue(submission);
  ++report_.steps_compared;
  DS4_CHECK(side_->take_all());
  for (std::uint32_t i = 0; i < submission.count; ++i) {
    ds4_submission one = submission;
    one.count = 1;
    one.ops = submission.ops + i;
    DS4_CHECK(stream_.enqueue(one));
    DS4_CHECK(stream_.sync());
    DS4_CHECK(repeat(*submission.ops[i], step));
  }
  return compare_rest();
}

Result<void> Shadow::repeat(const ds4_op& op, const StepFacts& step) {
  const RepeatedOp& repeated = side_->repeated(op);
  if (!repeated.lacks.empty()) {
    note_missing(repeated.lacks);
    return side_->take_all();
  }
  if (auto ran = side_->run(repeated.copies, step.layout->block); !ran) {
    return ran.error().in("shadow ", report_.device, ": ", op_name(op.id));
  }
  ++report_.ops;
  return compare_op(op, repeated, step);
}

void Shadow::note_missing(const std::string& what) {
  auto& known = report_.not_compared;
  if (std::find(known.begin(), known.end(), what) != known.end()) return;
  known.push_back(what);
  if (!log_) return;
  log_(LogLevel::warning, "shadow", report_.device + " does not have " + what + ": not compared");
}

Result<void> Shadow::compare_op(const ds4_op& op, const RepeatedOp& repeated,
                                const StepFacts& step) {
  const std::vector<OpOutput> outputs = outputs_of(op);
  std::set<std::uint64_t> other_rows;
  for (const OpOutput& output : outputs) {
    if (output.nearness == Nearness::chosen) {
      DS4_CHECK(compare_choice(op, repeated, output, step, other_rows));
    } else {
      DS4_CHECK(compare_output(op, output, step, other_rows));
    }
  }
  return compare_inputs(op, outputs, step);
}

/// Rows that chose others within the legal margin go into `other_rows`: what else the op gives for
/// them belongs to other experts.
Result<void> Shadow::compare_choice(const ds4_op& op, const RepeatedOp& repeated,
                                    const OpOutput& output, const StepFacts& step,
                                    std::set<std::uint64_t>& other_rows) {
  ShadowWorst& known = worst_[std::string(op_name(op.id)) + "." + output.name];
  ++known.compared;
  if (known.limit == 0) known.limit = kExpertMargin;
  const ViewRows rows(output);
  std::vector<float> scores;  // of every row, once they are needed
  return each_run(
      rows, [&](std::uint64_t row, std::uint64_t count, std::uint64_t bytes) -> Result<void> {
        const std::uint64_t at = output.view.offset + rows.offset(row);
        DS4_TRY(const ShadowSide::Both both, side_->read(output.view.buffer, at, bytes));
        if (both.are_equal()) return {};
        std::vector<RowDistance> wrong;
        for (std::uint64_t r = 0; r < count; ++r) {
          const std::uint64_t from = rows.offset(row + r) - rows.offset(row);
          const std::vector<std::int32_t> wanted = rows.ids(&both.wanted[from]);
          const std::vector<std::int32_t> got = rows.ids(&both.got[from]);
          if (wanted == got) continue;
          other_rows.insert(row + r);
          ++report_.other_choices;
          if (scores.empty()) {
            DS4_CHECK(side_->run(repeated.scores, step.layout->block));
            scores.resize(view_span_bytes(repeated.score) / sizeof(float));
            DS4_CHECK(side_->read_scratch(repeated.score.offset,
                                          std::as_writable_bytes(std::span(scores))));
          }
          const std::uint32_t experts = repeated.score.extent[1];
          const double margin = choice_margin(wanted, got, [&](std::int32_t id) {
            const bool is_known = id >= 0 && static_cast<std::uint32_t>(id) < experts;
            return is_known ? static_cast<double>(
                                  scores[(row + r) * experts + static_cast<std::uint32_t>(id)])
                            : std::numeric_limits<double>::infinity();
          });
          if (margin > kReducedMargin) {
            const auto at_value = std::mismatch(wanted.begin(), wanted.end(), got.begin());
            wrong.push_back({row + r, static_cast<std::uint64_t>(at_value.first - wanted.begin()),
                             static_cast<double>(*at_value.first),
                             static_cast<double>(*at_value.second), margin, kReducedMargin});
            continue;
          }
          known.is_reduced = known.is_reduced || margin > kExpertMargin;
          if (margin <= known.error) continue;
          known.error = margin;
          known.limit = margin > kExpertMargin ? kReducedMargin : kExpertMargin;
        }
        DS4_CHECK(side_->take(output.view.buffer, at, both));
        if (wrong.empty()) return {};
        return found(op, output, wrong.front(), step,
                     "another choice of experts, by a margin of " +
                         short_number(wrong.front().error) + ", limit " +
                         short_number(kReducedMargin));
      });
}

Result<void> Shadow::compare_output(const ds4_op& op, const OpOutput& output, const StepFacts& step,
                                    const std::set<std::uint64_t>& other_rows) {
  OutputComparison comparison(output, 1);
  const ViewRows rows(output);
  DS4_CHECK(each_run(
      rows, [&](std::uint64_t row, std::uint64_t count, std::uint64_t bytes) -> Result<void> {
        const std::uint64_t at = output.view.offset + rows.offset(row);
        DS4_TRY(const ShadowSide::Both both, side_->read(output.view.buffer, at, bytes));
        if (both.are_equal()) return {};
        for (std::uint64_t r = 0; r < count; ++r) {
          if (other_rows.count(row + r) != 0) continue;
          const std::uint64_t from = rows.offset(row + r) - rows.offset(row);
          const std::uint64_t step_row = row + r + output.view.first_row;
          std::optional<std::uint32_t> values;
          if (step_row < static_cast<std::uint64_t>(step.words[DS4_STEP_ROWS])) {
            if (const auto seen = step.entry(output.counts, step_row)) {
              values = static_cast<std::uint32_t>(*seen);
            }
          }
          comparison.add(row + r, both.wanted.subspan(from, rows.bytes()),
                         both.got.subspan(from, rows.bytes()), values);
        }
        return side_->take(output.view.buffer, at, both);
      }));
  ShadowWorst& known = worst_[std::string(op_name(op.id)) + "." + output.name];
  ++known.compared;
  if (comparison.is_wrong()) {
    const RowDistance& wrong = comparison.wrong();
    return found(op, output, wrong, step,
                 wrong.limit == 0 ? std::string("bits must be equal")
                                  : "the row is off by " + short_number(wrong.error) + ", limit " +
                                        short_number(wrong.limit));
  }
  known.is_reduced = known.is_reduced || comparison.is_reduced();
  const RowDistance& worst = comparison.worst();
  if (known.limit == 0 || worst.error * known.limit > known.error * worst.limit) {
    known.error = worst.error;
    known.limit = worst.limit;
  }
  return {};
}

/// An op leaves what it reads as it is.
Result<void> Shadow::compare_inputs(const ds4_op& op, const std::vector<OpOutput>& outputs,
                                    const StepFacts& step) {
  for (const ds4_view& view : views_of(op, side_->buffers())) {
    const bool is_output = std::any_of(outputs.begin(), outputs.end(), [&](const OpOutput& output) {
      return overlaps(output.view, view);
    });
    if (is_output) continue;
    OpOutput input{"input", view, Nearness::exact, has_gaps(view), {}};
    OutputComparison comparison(input, 1);
    const ViewRows rows(input);
    DS4_CHECK(each_run(
        rows, [&](std::uint64_t row, std::uint64_t count, std::uint64_t bytes) -> Result<void> {
          const std::uint64_t at = view.offset + rows.offset(row);
          DS4_TRY(const ShadowSide::Both both, side_->read(view.buffer, at, bytes));
          if (both.are_equal()) return {};
          for (std::uint64_t r = 0; r < count; ++r) {
            const std::uint64_t from = rows.offset(row + r) - rows.offset(row);
            comparison.add(row + r, both.wanted.subspan(from, rows.bytes()),
                           both.got.subspan(from, rows.bytes()));
          }
          return side_->take(view.buffer, at, both);
        }));
    if (!comparison.is_wrong()) continue;
    DS4_CHECK(found(op, input, comparison.wrong(), step, "the op has changed what it reads"));
  }
  return {};
}

/// What no op named as its output is as it was.
Result<void> Shadow::compare_rest() {
  for (const ShadowSide::Mirror& mirror : side_->mirrors()) {
    for (std::uint64_t at = 0; at < mirror.own.bytes(); at += kShadowChunkBytes) {
      const std::uint64_t bytes = std::min(kShadowChunkBytes, mirror.own.bytes() - at);
      DS4_TRY(const ShadowSide::Both both, side_->read(mirror.theirs->handle(), at, bytes));
      if (both.are_equal()) continue;
      const auto differing = std::mismatch(both.got.begin(), both.got.end(), both.wanted.begin());
      const auto byte = at + static_cast<std::uint64_t>(differing.first - both.got.begin());
      DS4_CHECK(side_->take(mirror.theirs->handle(), at, both));
      ShadowFinding finding;
      finding.step = step_;
      finding.layer = model_.config().layers;
      finding.output = mirror.name;
      finding.row = byte;
      finding.text = "shadow " + report_.device + ": step " + std::to_string(step_) +
                     ": some op has written outside its outputs, at byte " + std::to_string(byte) +
                     " of the " + std::string(mirror.name) + "; to look for it: ds4-validate " +
                     "--backend " + judged_.backend().library().path().string() + " --stage memory";
      DS4_CHECK(tell(finding));
    }
  }
  return {};
}

Result<void> Shadow::tell(const ShadowFinding& finding) {
  ++report_.findings;
  if (options_.on_finding && options_.on_finding(finding)) return {};
  return fail(Errc::internal, finding.text);
}

ShadowReport Shadow::report() const {
  ShadowReport report = report_;
  for (const auto& [name, worst] : worst_) {
    report.outputs.push_back(worst);
    report.outputs.back().output = name;
  }
  return report;
}

}  // namespace ds4
