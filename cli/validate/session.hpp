#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/harness/backend.hpp"
#include "validate/report.hpp"

namespace ds4::validate {

/// One run of the validator in one process: the backend under test and what it is measured by.
class Session {
 public:
  Session(const Settings& settings, Target target, Report& report);

  /// Opens the backend under test and the reference.
  Result<void> open();
  /// Another device of the backend under test.
  [[nodiscard]] Result<std::unique_ptr<conformance::Backend>> open_again(
      std::uint32_t threads) const;

  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
  [[nodiscard]] const Target& target() const noexcept { return target_; }
  [[nodiscard]] Report& report() noexcept { return report_; }
  [[nodiscard]] conformance::Backend& backend() noexcept { return *backend_; }
  /// Null when the backend under test is the reference.
  [[nodiscard]] conformance::Backend* maybe_reference() noexcept { return reference_.get(); }
  [[nodiscard]] std::string title() const;
  /// base_command(), to begin a command that repeats something.
  [[nodiscard]] std::string command() const;
  [[nodiscard]] bool wants_op(std::string_view op) const;
  [[nodiscard]] bool wants_stage(std::string_view stage) const;

 private:
  [[nodiscard]] conformance::OpenOptions open_options(std::uint32_t threads) const;
  const Settings& settings_;
  Target target_;
  Report& report_;
  std::unique_ptr<conformance::Backend> backend_;
  std::unique_ptr<conformance::Backend> reference_;
};

/// As one word of a shell's command.
[[nodiscard]] std::string shell_word(std::string_view text);
/// "ds4-validate --backend X" with the device and options that it is opened with.
[[nodiscard]] std::string base_command(const Settings& settings);
/// " --grid G", and " --rows LIST" where rows were given: what the numbers of cases depend on.
[[nodiscard]] std::string grid_options(const Settings& settings);
/// The same with --fuzz, --shape and --seed: all cases of an op as this run has them.
[[nodiscard]] std::string case_options(const Settings& settings);

/// Collects the expectations of one check; the first that is not met is the row's detail.
class Checklist {
 public:
  Checklist(std::string stage, std::string subject);
  void expect(bool holds, const std::string& otherwise);
  /// The status that a call must give.
  void expect_status(ds4_status got, ds4_status wanted, const std::string& call);
  void expect(const Result<void>& done);
  /// Says why the check does not apply here.
  void skip(const std::string& why);
  [[nodiscard]] bool ok() const noexcept { return row_.state != State::fail; }
  /// The row, with the options that repeat it.
  [[nodiscard]] Row row(const Session& session) const;

 private:
  Row row_;
};

struct Stage {
  std::string_view name;
  std::string_view says;
  void (*run)(Session& session);
  bool is_by_op = false;  ///< one isolated child for each op
};

/// In the order in which they run.
[[nodiscard]] std::span<const Stage> stages() noexcept;

/// What a report says of --rows that an op cannot have at the sizes of Flash; "": it has them all.
[[nodiscard]] std::string clipped_rows(const Settings& settings, const conformance::OpCases& cases);

void run_file(Session& session);
void run_lifecycle(Session& session);
/// Part of lifecycle: structs of least size, and longer than this version knows them.
void run_struct_sizes(Session& session);
void run_ops(Session& session);
void run_compositions(Session& session);
void run_memory(Session& session);
void run_async(Session& session);
/// Part of async: imports that the caller or the host gives up in the middle.
void run_cancelled_imports(Session& session);
void run_graph(Session& session);
void run_errors(Session& session);
/// Part of errors: every op with fields that cannot be right.
void run_wrong_descriptors(Session& session);
void run_determinism(Session& session);
void run_rows(Session& session);
void run_allocation(Session& session);
void run_state(Session& session);
void run_capabilities(Session& session);
/// --perf, which is no stage of a judgement: nothing is compared.
void run_perf(Session& session);

}  // namespace ds4::validate
