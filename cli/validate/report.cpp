#include "validate/report.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "common/json_writer.hpp"
#include "common/numbers.hpp"
#include "common/progress.hpp"

namespace ds4::validate {
namespace {

constexpr std::size_t kSubjectCell = 26;
constexpr std::size_t kTypeCell = 12;
constexpr std::array kWords{"ok", "FAIL", "composed", "NO", "skipped"};

std::string cell(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + ' ';
}

std::string cell_right(const std::string& text, std::size_t width) {
  return (text.size() < width ? std::string(width - text.size(), ' ') : "") + text + ' ';
}

std::string scientific(double value) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.1e", value);
  return text.data();
}

/// A field of row_to_line(): no tab, no line break.
std::string field(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return out;
}

}  // namespace

std::string_view state_word(State state) noexcept {
  return kWords[static_cast<std::size_t>(state)];
}

Report::Report(const cli::Console& console, const Settings& settings)
    : console_(console), settings_(settings) {}

void Report::print(const std::string& line) const {
  if (!settings_.rows_fd) (void)console_.write(line + "\n");
}

void Report::begin_stage(std::string_view stage, std::string_view says) {
  std::string line(1, '\n');
  line.append(stage).append(": ").append(says);
  print(line);
  needs_header_ = true;
}

void Report::done() {
  if (!settings_.rows_fd) return;
  if (::write(*settings_.rows_fd, kRowsEnd.data(), kRowsEnd.size()) < 0) ++failures_;
}

void Report::remark(const std::string& line) {
  print(line);
}

void Report::add_timing(const Row& row) {
  const Timing& timing = *row.timing;
  if (needs_header_) {
    print(cell("OP", kSubjectCell) + cell("DTYPE", kTypeCell) + cell_right("MS", 10) +
          cell_right("MB", 9) + cell_right("GB/S", 8) + cell_right("% OF MEM", 8) +
          cell_right("GFLOP/S", 9) + "CASE");
    needs_header_ = false;
  }
  const double rate = timing.bytes / timing.seconds;
  print(cell(row.subject, kSubjectCell) + cell(row.dtype, kTypeCell) +
        cell_right(cli::decimals(timing.seconds * 1e3, 3), 10) +
        cell_right(cli::decimals(timing.bytes / 1e6, 2), 9) +
        cell_right(cli::decimals(rate / 1e9, 2), 8) +
        cell_right(cli::decimals(100 * rate / timing.bandwidth, 1), 8) +
        cell_right(cli::decimals(timing.flops / timing.seconds / 1e9, 2), 9) + timing.label);
}

void Report::add(Row row) {
  if (row.state == State::fail || row.state == State::missing) ++failures_;
  if (row.state != State::skipped) ++checked_;
  if (settings_.rows_fd) {
    const std::string line = row_to_line(row) + "\n";
    if (::write(*settings_.rows_fd, line.data(), line.size()) < 0) ++failures_;
  } else if (row.timing) {
    add_timing(row);
  } else {
    if (needs_header_) {
      print(cell("OP", kSubjectCell) + cell("DTYPE", kTypeCell) + cell_right("CASES", 6) +
            cell_right("WORST-ERR", 10) + cell_right("LIMIT", 9) + " " + cell("STATE", 8) +
            "REPRODUCE");
      needs_header_ = false;
    }
    const std::string type = (row.dtype.empty() ? "-" : row.dtype) + (row.is_int8 ? " int8" : "");
    std::string line = cell(row.subject, kSubjectCell) + cell(type, kTypeCell) +
                       cell_right(std::to_string(row.cases), 6) +
                       cell_right(row.has_error ? scientific(row.worst_error) : "-", 10) +
                       cell_right(row.has_error ? scientific(row.limit) : "-", 9) + " " +
                       cell(std::string(state_word(row.state)), 8) + row.reproduce;
    while (!line.empty() && line.back() == ' ') line.pop_back();
    print(line);
    if (!row.detail.empty()) print("  " + row.detail);
  }
  rows_.push_back(std::move(row));
}

void Report::verdict(const std::string& title, double seconds) {
  std::string line = ok() && checked_ != 0 ? "OK: " : "FAIL: ";
  line += title + ": ";
  if (checked_ == 0) {
    line += "nothing was checked";
  } else if (ok()) {
    line += settings_.perf ? std::to_string(checked_) + " timings, no results were compared"
                           : "all " + std::to_string(checked_) + " lines agree";
  } else {
    line += std::to_string(failures_) + " of " + std::to_string(checked_) + " lines fail";
    const auto first = std::find_if(rows_.begin(), rows_.end(), [](const Row& row) {
      return row.state == State::fail || row.state == State::missing;
    });
    if (first != rows_.end()) {
      line += ", the first in stage " + first->stage + ": " + first->subject;
      if (!first->detail.empty()) line += ": " + first->detail.substr(0, first->detail.find(';'));
    }
  }
  line += " (" + cli::decimals(seconds, 1) + " s)";
  if (std::any_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.is_int8; })) {
    line += "; lines marked int8 allow for activations rounded to int8";
  }
  const auto reduced =
      std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.is_reduced; });
  if (reduced != 0) {
    line += "; " + std::to_string(reduced) +
            " lines pass at REDUCED PRECISION alone (int8 activations or half products)";
  }
  if (settings_.tolerance_scale != 1) line += "; limits were scaled: not conformant";
  print("\n" + line);
}

Result<void> Report::write_json(const std::string& title) const {
  if (settings_.json.empty()) return {};
  cli::JsonWriter json;
  json.begin_object().key("backend").string(title);
  json.key("seed").unsigned_integer(settings_.seed);
  json.key("tolerance_scale").number(settings_.tolerance_scale);
  json.key("ok").boolean(ok() && checked_ != 0).key("rows").begin_array();
  for (const Row& row : rows_) {
    json.line_break().begin_object();
    json.key("stage").string(row.stage).key("op").string(row.subject);
    json.key("dtype").string(row.dtype).key("cases").unsigned_integer(row.cases);
    if (row.has_error)
      json.key("worst_error").number(row.worst_error).key("limit").number(row.limit);
    if (row.is_reduced) json.key("reduced_precision").boolean(true);
    if (row.is_int8) json.key("int8_activations").boolean(true);
    if (row.int8_deviation > 0) json.key("int8_deviation").number(row.int8_deviation);
    if (row.timing) {
      json.key("case").string(row.timing->label);
      json.key("seconds").number(row.timing->seconds).key("bytes").number(row.timing->bytes);
      json.key("flops").number(row.timing->flops);
      json.key("memory_bytes_per_second").number(row.timing->bandwidth);
    }
    json.key("state").string(state_word(row.state));
    if (!row.reproduce.empty()) json.key("reproduce").string(row.reproduce);
    if (!row.detail.empty()) json.key("detail").string(row.detail);
    json.end_object();
  }
  json.end_array().end_object();
  std::ofstream file(settings_.json, std::ios::binary | std::ios::trunc);
  file << json.text() << '\n';
  file.close();
  if (!file) return fail(Errc::io, "--json: cannot write ", settings_.json);
  return {};
}

std::string row_to_line(const Row& row) {
  std::array<char, 96> numbers{};
  (void)std::snprintf(numbers.data(), numbers.size(), "%.9g\t%.9g\t%d\t%.9g", row.worst_error,
                      row.limit, row.is_int8 ? 1 : 0, row.int8_deviation);
  return field(row.stage) + '\t' + field(row.subject) + '\t' + field(row.dtype) + '\t' +
         std::to_string(row.cases) + '\t' + (row.has_error ? "1" : "0") + '\t' + numbers.data() +
         '\t' + std::string(state_word(row.state)) + '\t' + field(row.reproduce) + '\t' +
         field(row.detail);
}

bool row_from_line(std::string_view line, Row& row) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\t') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (fields.size() != 12) return false;
  row.stage = fields[0];
  row.subject = fields[1];
  row.dtype = fields[2];
  const auto cases = cli::parse_integer(fields[3], 0, 1ULL << 62);
  const auto* const word = std::find(kWords.begin(), kWords.end(), fields[9]);
  if (!cases || word == kWords.end()) return false;
  row.cases = *cases;
  row.has_error = fields[4] == "1";
  row.worst_error = std::strtod(fields[5].c_str(), nullptr);
  row.limit = std::strtod(fields[6].c_str(), nullptr);
  row.is_int8 = fields[7] == "1";
  row.int8_deviation = std::strtod(fields[8].c_str(), nullptr);
  row.state = static_cast<State>(word - kWords.begin());
  row.reproduce = fields[10];
  row.detail = fields[11];
  return true;
}

}  // namespace ds4::validate
