#include "bench/rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "bench/csv.hpp"
#include "common/progress.hpp"

namespace ds4::bench {
namespace {

/// A column: its name, how it is written and how it is read.
struct Column {
  std::string_view name;
  int decimals;  ///< 0: an integer
  double BenchRow::*real;
  std::uint32_t BenchRow::*integer;
  std::uint64_t BenchRow::*bytes;
};

constexpr Column real(std::string_view name, int decimals, double BenchRow::*field) {
  return {name, decimals, field, nullptr, nullptr};
}
constexpr Column integer(std::string_view name, std::uint32_t BenchRow::*field) {
  return {name, 0, nullptr, field, nullptr};
}
constexpr Column bytes(std::string_view name, std::uint64_t BenchRow::*field) {
  return {name, 0, nullptr, nullptr, field};
}

// The first nine are those of the reference engine's ds4-bench, in its order.
constexpr std::array kColumns = {
    integer("ctx_tokens", &BenchRow::ctx_tokens),
    integer("prefill_tokens", &BenchRow::prefill_tokens),
    real("prefill_tps", 2, &BenchRow::prefill_tps),
    integer("gen_tokens", &BenchRow::gen_tokens),
    real("gen_tps", 2, &BenchRow::gen_tps),
    real("gen_first_ms", 3, &BenchRow::gen_first_ms),
    integer("gen_steady_tokens", &BenchRow::gen_steady_tokens),
    real("gen_steady_tps", 2, &BenchRow::gen_steady_tps),
    bytes("kvcache_bytes", &BenchRow::kvcache_bytes),
    integer("run", &BenchRow::run),
    real("gen_p50_ms", 3, &BenchRow::gen_p50_ms),
    real("gen_p99_ms", 3, &BenchRow::gen_p99_ms),
    real("probe_gbps", 3, &BenchRow::probe_gbps),
    bytes("token_bytes", &BenchRow::token_bytes),
    real("roofline_tps", 3, &BenchRow::roofline_tps),
    real("ratio", 7, &BenchRow::ratio),
    real("prefill_roofline_tps", 3, &BenchRow::prefill_roofline_tps),
    real("prefill_ratio", 7, &BenchRow::prefill_ratio),
    real("expert_hit_rate", 4, &BenchRow::expert_hit_rate),
    real("expert_read_ahead", 4, &BenchRow::expert_read_ahead),
    real("expert_late", 4, &BenchRow::expert_late),
    real("expert_wait_s", 3, &BenchRow::expert_wait_s),
    bytes("expert_bytes_read", &BenchRow::expert_bytes_read),
};
constexpr std::string_view kBackend = "backend";

std::string cell(const BenchRow& row, const Column& column) {
  if (column.real != nullptr) return cli::decimals(row.*column.real, column.decimals);
  return std::to_string(column.integer != nullptr ? row.*column.integer : row.*column.bytes);
}

bool take(BenchRow& row, const Column& column, std::string_view text) {
  const auto whole = [text](auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  if (column.real != nullptr) {
    // No speed lies outside; a chart of one would have no end of ticks.
    double& value = row.*column.real;
    return whole(value) && (value == 0 || (value >= 1e-9 && value <= 1e15));
  }
  return column.integer != nullptr ? whole(row.*column.integer) : whole(row.*column.bytes);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

std::string csv_header() {
  std::string line;
  for (const Column& column : kColumns) line.append(column.name).append(",");
  return line.append(kBackend).append("\n");
}

std::string csv_line(const BenchRow& row) {
  std::string line;
  for (const Column& column : kColumns) line.append(cell(row, column)).append(",");
  return line.append(row.backend).append("\n");
}

void row_members(cli::JsonWriter& json, const BenchRow& row) {
  for (const Column& column : kColumns) {
    json.key(column.name);
    if (column.real != nullptr) {
      json.number(row.*column.real);
    } else {
      json.unsigned_integer(column.integer != nullptr ? row.*column.integer : row.*column.bytes);
    }
  }
  json.key(kBackend).string(row.backend);
}

Result<std::vector<BenchRow>> parse_csv(std::string_view text, std::string_view name) {
  const std::vector<std::string_view> lines = csv_lines(text);
  if (lines.empty()) return fail(Errc::bad_file, name, ": is empty; expected rows of ds4-bench");
  std::vector<const Column*> columns;
  std::optional<std::size_t> backend;
  for (const std::string_view title : csv_cells(lines.front())) {
    const auto known = std::find_if(kColumns.begin(), kColumns.end(),
                                    [title](const Column& c) { return c.name == title; });
    if (title == kBackend) backend = columns.size();
    columns.push_back(known == kColumns.end() ? nullptr : &*known);
  }
  for (const std::string_view needed : {"ctx_tokens", "prefill_tps", "gen_tps"}) {
    const bool is_there = std::any_of(columns.begin(), columns.end(), [needed](const Column* c) {
      return c != nullptr && c->name == needed;
    });
    if (!is_there) {
      return fail(Errc::bad_file, name, ": line 1: no column ", needed,
                  "; expected the header of ds4-bench");
    }
  }
  std::vector<BenchRow> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string_view> cells = csv_cells(lines[i]);
    if (cells.size() != columns.size()) {
      return fail(Errc::bad_file, name, ": line ", i + 1, ": ", cells.size(),
                  " cells, the header has ", columns.size());
    }
    BenchRow row;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (columns[c] == nullptr) continue;
      if (!take(row, *columns[c], cells[c])) {
        return fail(Errc::bad_file, name, ": line ", i + 1, ": ", columns[c]->name, " is '",
                    cells[c], "', expected a number");
      }
    }
    if (backend) row.backend = cells[*backend];
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return fail(Errc::bad_file, name, ": has no rows");
  return rows;
}

std::vector<BenchRow> medians(const std::vector<BenchRow>& rows) {
  std::map<std::uint32_t, std::vector<const BenchRow*>> by_context;
  for (const BenchRow& row : rows) by_context[row.ctx_tokens].push_back(&row);
  std::vector<BenchRow> out;
  for (const auto& [context, runs] : by_context) {
    BenchRow row = *runs.front();
    row.run = static_cast<std::uint32_t>(runs.size());
    for (const Column& column : kColumns) {
      if (column.real == nullptr) continue;
      std::vector<double> values;
      for (const BenchRow* one : runs) values.push_back(one->*column.real);
      row.*column.real = median(std::move(values));
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace ds4::bench
