// --perf: how long ops take at a model's sizes, next to what memory could give.
#include <array>
#include <cstdio>

#include "common/progress.hpp"
#include "ops/op_table.hpp"
#include "tests/conformance/cases.hpp"
#include "validate/session.hpp"

namespace ds4::validate {
namespace {

using conformance::CaseRecord;
using conformance::OpCases;
using conformance::Suite;
using conformance::SuiteOptions;

SuiteOptions perf_options(const Settings& settings, const OpCases& cases) {
  SuiteOptions options;
  options.seed = settings.seed;
  options.aspect = conformance::Aspect::timing;
  options.grid = conformance::Grid::model;
  options.only_number = settings.case_number;
  options.model_rows = conformance::model_rows_of(cases, settings.model_rows);
  if (options.model_rows.empty()) options.model_rows = {1, 8, 64};
  return options;
}

Row perf_row(const Session& session, std::string_view op, const CaseRecord& record,
             double bandwidth) {
  Row row;
  row.stage = "perf";
  row.subject = op;
  row.dtype = view_dtype_name(record.dtype);
  row.cases = 1;
  if (record.outcome.failure) {
    row.state = State::fail;
    row.detail = record.label + ": " + record.outcome.failure->what;
    row.reproduce = session.command() + " --perf --op " + std::string(op) + " --case " +
                    std::to_string(record.number);
    // The numbers of cases go with the rows that were asked for.
    row.reproduce += case_options(session.settings());
    return row;
  }
  if (record.outcome.composed) {
    row.state = State::composed;
    return row;
  }
  row.timing = Timing{record.label, record.outcome.seconds, record.outcome.bytes,
                      record.outcome.flops, bandwidth};
  return row;
}

}  // namespace

void run_perf(Session& session) {
  const auto bandwidth = session.backend().read_bandwidth();
  if (!bandwidth) {
    Checklist list("perf", "bandwidth");
    list.expect(false, bandwidth.error().what);
    session.report().add(list.row(session));
    return;
  }
  session.report().remark("memory gives " + cli::decimals(*bandwidth / 1e9, 1) +
                          " GB/s, the best of five. Times are the shortest of five runs, each "
                          "after caches were overwritten.");
  for (const OpCases& cases : conformance::all_cases()) {
    if (!session.wants_op(cases.op) || !cases.has_model_sizes) continue;
    Suite suite(session.backend(), cases.op, perf_options(session.settings(), cases));
    suite.run_all(cases.run);
    if (const std::string cut = clipped_rows(session.settings(), cases); !cut.empty()) {
      session.report().remark(std::string(cases.op) + ": " + cut);
    }
    for (const CaseRecord& record : suite.records()) {
      session.report().add(perf_row(session, cases.op, record, *bandwidth));
    }
  }
}

}  // namespace ds4::validate
