#include "tests/conformance/harness/suite.hpp"

#include <algorithm>

#include <iomanip>

#include "tests/conformance/tolerances.hpp"

namespace ds4::conformance {

bool OpReport::ok() const {
  // One flip is legal in any number of values: a share cannot be told from a handful.
  const auto allowed = std::max(1.0, kFlipShare * static_cast<double>(values));
  return failures.empty() && cases != 0 && static_cast<double>(flips) <= allowed;
}

std::string_view OpReport::state() const {
  if (!ok()) return "FAIL";
  return composed == cases ? "composed" : "ok";
}

Suite::Suite(Backend& backend, std::string_view op, SuiteOptions options)
    : backend_(backend), options_(std::move(options)) {
  report_.op = op;
}

void Suite::run(const std::string& label, const RowCase& rows, const Body& body) {
  const std::string full = label + ", " + rows.label;
  if (full.find(options_.only_case) == std::string::npos) return;
  Case test(backend_, options_.seed, report_.op + "/" + full, rows);
  body(test);
  const Outcome& outcome = test.outcome();
  ++report_.cases;
  if (outcome.composed) ++report_.composed;
  if (outcome.failure) report_.failures.push_back(full + ": " + outcome.failure->what);
  report_.values += outcome.values;
  report_.flips += outcome.flips;
  if (outcome.worst_ratio > report_.worst_ratio) {
    report_.worst_ratio = outcome.worst_ratio;
    report_.worst_error = outcome.worst_error;
    report_.worst_limit = outcome.worst_limit;
  }
}

void print_table(std::ostream& out, std::span<const OpReport> reports) {
  out << std::left << std::setw(21) << "OP" << std::right << std::setw(6) << "CASES"
      << std::setw(11) << "WORST-ERR" << std::setw(11) << "LIMIT" << std::setw(14) << "FLIPS"
      << "  STATE\n";
  for (const OpReport& report : reports) {
    out << std::left << std::setw(21) << report.op << std::right << std::setw(6) << report.cases
        << std::scientific << std::setprecision(1);
    if (report.worst_ratio > 0) {
      out << std::setw(11) << report.worst_error << std::setw(11) << report.worst_limit;
    } else {
      out << std::setw(11) << 0.0 << std::setw(11) << "-";
    }
    const std::string flips =
        report.values == 0 ? "-"
                           : std::to_string(report.flips) + "/" + std::to_string(report.values);
    out << std::setw(14) << flips << "  " << report.state() << '\n';
  }
  constexpr std::size_t kShown = 8;
  for (const OpReport& report : reports) {
    for (std::size_t i = 0; i < report.failures.size() && i < kShown; ++i) {
      out << report.op << ": " << report.failures[i] << '\n';
    }
    if (report.failures.size() > kShown) {
      out << report.op << ": " << report.failures.size() - kShown << " more failures\n";
    }
  }
}

}  // namespace ds4::conformance
