// Stages that run the op cases, each looking at one aspect of them.
#include <map>
#include <string>

#include "common/progress.hpp"
#include "ops/op_table.hpp"
#include "tests/conformance/cases.hpp"
#include "tests/conformance/tolerances.hpp"
#include "validate/process.hpp"
#include "validate/session.hpp"

namespace ds4::validate {
namespace {

using conformance::Aspect;
using conformance::CaseRecord;
using conformance::OpCases;
using conformance::OpReport;
using conformance::Suite;
using conformance::SuiteOptions;

constexpr std::size_t kShownFailures = 3;

/// How many kinds of rows a stage tries (Suite::most_cases).
struct Extent {
  std::uint32_t quick = 0;  ///< 0: all
  std::uint32_t full = 0;
};

SuiteOptions suite_options(const Session& session, const OpCases& cases, Aspect aspect,
                           const Extent& extent) {
  const Settings& settings = session.settings();
  SuiteOptions options;
  options.seed = settings.seed;
  options.aspect = aspect;
  options.grid = settings.grid;
  options.only_number = settings.case_number;
  options.most_cases = settings.grid == conformance::Grid::full ? extent.full : extent.quick;
  options.tolerance_scale = settings.tolerance_scale;
  options.fuzz = settings.fuzz;
  options.shape = settings.shape;
  options.model_rows = conformance::model_rows_of(cases, settings.model_rows);
  return options;
}

/// Repeats all cases of an op.
std::string op_command(const Session& session, std::string_view stage, std::string_view op) {
  return session.command() + " --stage " + std::string(stage) + " --op " + std::string(op);
}

std::string deviation_text(const OpReport& report) {
  return "int8: values are off by " + cli::decimals(report.int8_deviation(), 2) +
         " times what rounding activations to int8 explains, at most " +
         cli::decimals(conformance::kInt8Deviation, 1) + " is legal";
}

std::string reproduce(const Session& session, std::string_view stage, std::string_view op,
                      const CaseRecord& record) {
  const Settings& settings = session.settings();
  std::string text = op_command(session, stage, op) + " --case " + std::to_string(record.number);
  text += grid_options(settings);
  if (settings.fuzz != 0) {
    text += " --fuzz 1";
    for (std::size_t i = 0; i < record.shape.size(); ++i) {
      text += (i == 0 ? " --shape " : ",") + std::to_string(record.shape[i]);
    }
  }
  if (settings.seed != 1 || settings.fuzz != 0) text += " --seed " + std::to_string(settings.seed);
  return text;
}

/// The row of one op and element type, with its worst case.
Row summary(const Session& session, std::string_view stage, std::string_view op,
            std::uint32_t dtype, std::span<const CaseRecord> records) {
  const OpReport report =
      conformance::summed(std::string(op), records, session.settings().tolerance_scale);
  Row row;
  row.stage = stage;
  row.subject = op;
  row.dtype = view_dtype_name(dtype);
  row.cases = report.cases;
  row.has_error = report.worst_ratio > 0;
  row.worst_error = report.worst_error;
  row.limit = report.worst_limit;
  row.is_int8 = report.is_int8;
  row.int8_deviation = report.int8_deviation();
  if (report.cases == 0) {
    row.state = State::skipped;
    return row;
  }
  if (report.composed == report.cases) row.state = State::composed;
  if (report.ok()) return row;
  row.state = State::fail;
  std::size_t shown = 0;
  for (const CaseRecord& record : records) {
    if (!record.outcome.failure) continue;
    if (row.reproduce.empty()) row.reproduce = reproduce(session, stage, op, record);
    if (shown++ == kShownFailures) break;
    row.detail +=
        (row.detail.empty() ? "" : "; ") + record.label + ": " + record.outcome.failure->what;
  }
  if (report.failures.empty()) {
    row.reproduce = op_command(session, stage, op) + case_options(session.settings());
    row.detail = report.flips_too_often()
                     ? std::to_string(report.flips) + " of " + std::to_string(report.values) +
                           " values take a neighbouring code, more than "
                           "chance allows"
                     : deviation_text(report);
  } else if (report.failures.size() > kShownFailures) {
    row.detail += "; " + std::to_string(report.failures.size() - kShownFailures) + " more";
  }
  return row;
}

void report_op(Session& session, std::string_view stage, const OpCases& cases,
               const std::vector<CaseRecord>& records) {
  std::map<std::uint32_t, std::vector<CaseRecord>> by_dtype;
  for (const CaseRecord& record : records) {
    if (!record.outcome.skipped) by_dtype[record.dtype].push_back(record);
  }
  for (const auto& [dtype, of_dtype] : by_dtype) {
    Row row = summary(session, stage, cases.op, dtype, of_dtype);
    if (const std::string cut = clipped_rows(session.settings(), cases); !cut.empty()) {
      row.detail += (row.detail.empty() ? "" : "; ") + cut;
    }
    session.report().add(std::move(row));
  }
}

bool wants(const Session& session, const OpCases& cases) {
  const bool is_model = session.settings().grid == conformance::Grid::model;
  return session.wants_op(cases.op) && (!is_model || cases.has_model_sizes);
}

void run_cases(Session& session, std::string_view stage, Aspect aspect, const Extent& extent) {
  for (const OpCases& cases : conformance::all_cases()) {
    if (!wants(session, cases)) continue;
    SuiteOptions options = suite_options(session, cases, aspect, extent);
    if (aspect == Aspect::result) options.reference = session.maybe_reference();
    Suite suite(session.backend(), cases.op, std::move(options));
    suite.run_all(cases.run);
    report_op(session, stage, cases, suite.records());
  }
}

void skip(Session& session, std::string_view stage, const char* why) {
  Row row;
  row.stage = stage;
  row.subject = "all";
  row.state = State::skipped;
  row.detail = why;
  session.report().add(std::move(row));
}

}  // namespace

void run_ops(Session& session) {
  run_cases(session, "ops", Aspect::result, {});
}

void run_compositions(Session& session) {
  run_cases(session, "compositions", Aspect::composition, {3, 0});
}

void run_memory(Session& session) {
  run_cases(session, "memory", Aspect::memory, {4, 0});
}

void run_determinism(Session& session) {
  if (!session.backend().has(DS4_CAP_DETERMINISTIC)) {
    skip(session, "determinism", "the device does not promise DETERMINISTIC");
    return;
  }
  run_cases(session, "determinism", Aspect::determinism, {1, 6});
}

void run_rows(Session& session) {
  if (!session.backend().has(DS4_CAP_ROW_INVARIANT)) {
    skip(session, "rows", "the device does not promise ROW_INVARIANT");
    return;
  }
  run_cases(session, "rows", Aspect::row_invariance, {3, 6});
}

void run_wrong_descriptors(Session& session) {
  run_cases(session, "errors", Aspect::errors, {1, 2});
}

void run_allocation(Session& session) {
  run_cases(session, "allocation", Aspect::allocation, {1, 4});
}

void run_graph(Session& session) {
  if (!session.backend().has(DS4_CAP_GRAPH)) {
    skip(session, "graph", "the device does not promise GRAPH");
    return;
  }
  // Rows that the step block counts: a constant that was captured shows.
  run_cases(session, "graph", Aspect::graph, {2, 6});
}

void run_state(Session& session) {
  // Threads of the host's team count too.
  for (const OpCases& cases : conformance::all_cases()) {
    if (!wants(session, cases)) continue;
    Checklist list("state", std::string(cases.op));
    const ThreadState before = thread_state();
    session.backend().set_after_enqueue([&] {
      const ThreadState now = thread_state();
      const std::string changed = difference(before, now);
      list.expect(changed.empty(), "enqueue changes " + changed);
      if (!changed.empty()) restore(before);
    });
    Suite suite(session.backend(), cases.op,
                suite_options(session, cases, Aspect::allocation, {1, 4}));
    suite.run_all(cases.run);
    session.backend().set_after_enqueue({});
    Row row = list.row(session);
    if (!row.reproduce.empty()) {
      row.reproduce = op_command(session, "state", cases.op) + case_options(session.settings());
    }
    session.report().add(std::move(row));
  }
}

}  // namespace ds4::validate
