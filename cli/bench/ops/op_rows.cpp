#include "bench/ops/op_rows.hpp"

#include <array>
#include <string_view>

#include "bench/text_table.hpp"
#include "common/json_writer.hpp"
#include "common/progress.hpp"

namespace ds4::bench {
namespace {

/// A column: its name, how many decimals, and one field.
struct Column {
  std::string_view name;
  int decimals = 0;
  double OpRow::*real = nullptr;
  std::string OpRow::*text = nullptr;
  std::uint32_t OpRow::*count = nullptr;
  std::uint64_t OpRow::*large = nullptr;
};

// The first six are those of performance.md 9.3, in its order.
constexpr std::array kColumns = {
    Column{.name = "kernel", .text = &OpRow::kernel},
    Column{.name = "shape", .text = &OpRow::shape},
    Column{.name = "bytes", .decimals = 0, .real = &OpRow::bytes},
    Column{.name = "us_median", .decimals = 2, .real = &OpRow::us_median},
    Column{.name = "gbps", .decimals = 3, .real = &OpRow::gbps},
    Column{.name = "ratio_to_probe", .decimals = 4, .real = &OpRow::ratio_to_probe},
    Column{.name = "us_cpu", .decimals = 2, .real = &OpRow::us_cpu},
    Column{.name = "ratio_cpu", .decimals = 4, .real = &OpRow::ratio_cpu},
    Column{.name = "gmac_per_s", .decimals = 3, .real = &OpRow::gmacs},
    Column{.name = "rows", .count = &OpRow::rows},
    Column{.name = "context", .count = &OpRow::context},
    Column{.name = "types", .text = &OpRow::types},
    Column{.name = "set_mib", .large = &OpRow::set_mib},
    Column{.name = "samples", .count = &OpRow::samples},
    Column{.name = "probe_gbps", .decimals = 3, .real = &OpRow::probe_gbps},
    Column{.name = "backend", .text = &OpRow::backend},
    Column{.name = "note", .text = &OpRow::note},
};

std::string cell(const OpRow& row, const Column& column) {
  if (column.real != nullptr) return cli::decimals(row.*column.real, column.decimals);
  if (column.text != nullptr) return row.*column.text;
  return std::to_string(column.count != nullptr ? row.*column.count : row.*column.large);
}

}  // namespace

std::string ops_csv_header() {
  std::string line;
  for (const Column& column : kColumns) {
    line.append(line.empty() ? "" : ",").append(column.name);
  }
  return line.append("\n");
}

std::string ops_csv_line(const OpRow& row) {
  std::string line;
  bool is_first = true;
  for (const Column& column : kColumns) {
    line.append(is_first ? "" : ",").append(cell(row, column));
    is_first = false;
  }
  return line.append("\n");
}

std::string ops_json(const RunFacts& facts, const std::vector<OpRow>& rows) {
  cli::JsonWriter json;
  json.begin_object();
  facts_members(json, facts);
  json.key("rows").begin_array();
  for (const OpRow& row : rows) {
    json.line_break().begin_object();
    for (const Column& column : kColumns) {
      json.key(column.name);
      if (column.real != nullptr) {
        json.number(row.*column.real);
      } else if (column.text != nullptr) {
        json.string(row.*column.text);
      } else {
        json.unsigned_integer(column.count != nullptr ? row.*column.count : row.*column.large);
      }
    }
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string ops_table(const std::vector<OpRow>& rows) {
  TextTable table({"kernel", "shape", "types", "rows", "context", "us", "GB/s", "ratio", "us cpu",
                   "ratio cpu", "Gmac/s", "set MiB", "note"},
                  3);
  for (const OpRow& row : rows) {
    table.row({row.kernel, row.shape, row.types, std::to_string(row.rows),
               row.context == 0 ? "-" : std::to_string(row.context),
               cli::decimals(row.us_median, 1), cli::decimals(row.gbps, 2),
               cli::decimals(row.ratio_to_probe, 3), cli::decimals(row.us_cpu, 1),
               cli::decimals(row.ratio_cpu, 3), cli::decimals(row.gmacs, 2),
               std::to_string(row.set_mib), row.note});
  }
  return table.text();
}

}  // namespace ds4::bench
