#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/harness/case.hpp"

namespace ds4::conformance {

/// All cases of one op, summed up.
struct OpReport {
  std::string op;
  std::size_t cases = 0;
  std::size_t composed = 0;  ///< the backend does not have the op for these
  double worst_ratio = 0;
  double worst_error = 0;
  double worst_limit = 0;
  std::uint64_t values = 0;
  std::uint64_t flips = 0;
  std::vector<std::string> failures;  ///< one line each: case label and what differed

  [[nodiscard]] bool ok() const;
  [[nodiscard]] std::string_view state() const;
};

/// What a run looks at.
struct SuiteOptions {
  std::uint64_t seed = 1;
  std::string only_case;  ///< run cases whose label contains this
};

/// Runs the cases of one op on one backend.
class Suite {
 public:
  using Body = std::function<void(Case&)>;

  Suite(Backend& backend, std::string_view op, SuiteOptions options);

  [[nodiscard]] Backend& backend() noexcept { return backend_; }
  /// Runs one case; its label is "<label>, <rows.label>".
  void run(const std::string& label, const RowCase& rows, const Body& body);
  [[nodiscard]] const OpReport& report() const noexcept { return report_; }

 private:
  Backend& backend_;
  SuiteOptions options_;
  OpReport report_;
};

/// The cases of one op.
struct OpCases {
  std::string_view op;
  void (*run)(Suite& suite);
};

/// Every fused op's cases, by op id, then those of required ops.
[[nodiscard]] std::span<const OpCases> all_cases() noexcept;

/// One line per op: cases, worst error with its limit, flipped codes, state; then the failures.
void print_table(std::ostream& out, std::span<const OpReport> reports);

}  // namespace ds4::conformance
