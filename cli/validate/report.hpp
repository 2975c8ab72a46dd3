#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/console.hpp"
#include "validate/settings.hpp"

namespace ds4::validate {

enum class State {
  ok,
  fail,
  composed,  ///< the backend does not have the op: core composes it; no failure
  missing,   ///< a required op that the backend does not have
  skipped,   ///< does not apply to this device
};

/// How long a case of --perf took, and what it moved.
struct Timing {
  std::string label;
  double seconds = 0;
  double bytes = 0;
  double flops = 0;
  double bandwidth = 0;  ///< bytes per second that memory gives
};

/// One line of the report: an op with one element type, or one check.
struct Row {
  std::string stage;
  std::string subject;  ///< the op, or what was checked
  std::string dtype;    ///< empty for checks
  std::uint64_t cases = 0;
  bool has_error = false;  ///< whether the next two are known
  double worst_error = 0;
  double limit = 0;
  bool is_int8 = false;       ///< the device may round activations to int8; the limit has that
  double int8_deviation = 0;  ///< rms of error / estimate of such values; 0: unknown
  bool is_reduced = false;    ///< passes as reduced precision alone
  State state = State::ok;
  std::string reproduce;  ///< options that repeat the failure
  std::string detail;     ///< of a failure, one line
  std::optional<Timing> timing;
};

[[nodiscard]] std::string_view state_word(State state) noexcept;

/// Rows as they come: printed at once, kept for JSON and the verdict.
class Report {
 public:
  /// rows_fd of the settings: rows go there instead of the table.
  Report(const cli::Console& console, const Settings& settings);

  void begin_stage(std::string_view stage, std::string_view says);
  void add(Row row);
  /// A line that is not counted.
  void remark(const std::string& line);
  /// Of an isolated child: tells the parent that every row was written.
  void done();
  /// The last line of the output. `title`: the backend and its device.
  void verdict(const std::string& title, double seconds);
  [[nodiscard]] bool ok() const noexcept { return failures_ == 0; }
  /// Rows of any state but skipped: a report of nothing is no success.
  [[nodiscard]] std::uint64_t checked() const noexcept { return checked_; }
  /// Writes the JSON file, if one was asked for.
  [[nodiscard]] Result<void> write_json(const std::string& title) const;

 private:
  void print(const std::string& line) const;
  void add_timing(const Row& row);
  const cli::Console& console_;
  const Settings& settings_;
  std::vector<Row> rows_;
  std::uint64_t failures_ = 0;
  std::uint64_t checked_ = 0;
  bool needs_header_ = true;
};

/// What an isolated child writes behind its last row.
inline constexpr std::string_view kRowsEnd = "end of rows\n";

/// Rows on their way from an isolated child: one line each.
[[nodiscard]] std::string row_to_line(const Row& row);
[[nodiscard]] bool row_from_line(std::string_view line, Row& row);

}  // namespace ds4::validate
