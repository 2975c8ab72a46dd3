#include "bench/logits.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "bench/csv.hpp"
#include "bench/text_table.hpp"
#include "common/progress.hpp"

namespace ds4::bench {
namespace {

constexpr std::array<std::string_view, 5> kColumns = {"run", "ctx_tokens", "backend", "argmax",
                                                      "logits"};
constexpr std::size_t kBest = 10;

std::string shortest(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::vector<std::size_t> best_ids(const std::vector<float>& values) {
  std::vector<std::size_t> ids(values.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  const std::size_t count = std::min(kBest, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    [&values](std::size_t a, std::size_t b) {
                      // NaN goes last: it is neither more nor less than anything.
                      const bool is_none = std::isnan(values[a]);
                      if (is_none != std::isnan(values[b])) return !is_none;
                      return is_none || values[a] == values[b] ? a < b : values[a] > values[b];
                    });
  ids.resize(count);
  return ids;
}

std::size_t likeliest(const std::vector<float>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::string scientific(double value) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.2e", value);
  return text.data();
}

struct Distance {
  double largest = 0;
  double square = 0;
  double product = 0, first = 0, second = 0;

  void add(double a, double b) {
    // NaN on one side only is as far off as can be.
    const double difference = a == b || (std::isnan(a) && std::isnan(b)) ? 0
                              : std::isnan(a - b)                        ? HUGE_VAL
                                                                         : std::fabs(a - b);
    largest = std::max(largest, difference);
    square += difference * difference;
    product += a * b;
    first += a * a;
    second += b * b;
  }
  [[nodiscard]] double cosine() const { return product / std::sqrt(first * second); }
};

void add_row(TextTable& table, const FrontierLogits& a, const FrontierLogits& b) {
  Distance distance;
  for (std::size_t i = 0; i < a.values.size(); ++i) distance.add(a.values[i], b.values[i]);
  const bool is_equal =
      std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
  const std::vector<std::size_t> best = best_ids(a.values);
  const std::vector<std::size_t> others = best_ids(b.values);
  const auto common = std::count_if(best.begin(), best.end(), [&others](std::size_t id) {
    return std::find(others.begin(), others.end(), id) != others.end();
  });
  const double rms = std::sqrt(distance.square / static_cast<double>(a.values.size()));
  table.row({std::to_string(a.ctx_tokens), is_equal ? "yes" : "no", scientific(distance.largest),
             scientific(rms), cli::decimals(distance.cosine(), 6),
             std::to_string(likeliest(a.values)), std::to_string(likeliest(b.values)),
             std::to_string(common) + "/" + std::to_string(best.size())});
}

const FrontierLogits* find(std::span<const FrontierLogits> rows, std::uint32_t context) {
  const auto at = std::find_if(rows.begin(), rows.end(), [context](const FrontierLogits& row) {
    return row.ctx_tokens == context;
  });
  return at == rows.end() ? nullptr : &*at;
}

Result<std::vector<float>> parse_values(std::string_view text) {
  std::vector<float> values;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at != end) {
    float value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (stop != end && *stop != ' ')) {
      return fail(Errc::bad_file, "logit ", values.size(), " is no number");
    }
    values.push_back(value);
    at = stop == end ? stop : stop + 1;
  }
  if (values.empty()) return fail(Errc::bad_file, "there are no logits");
  return values;
}

bool parse_count(std::string_view text, std::uint32_t& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

std::string logits_header() {
  std::string line;
  for (const std::string_view name : kColumns) line.append(line.empty() ? "" : ",").append(name);
  return line.append("\n");
}

std::string logits_line(const FrontierLogits& logits) {
  std::string line = std::to_string(logits.run) + "," + std::to_string(logits.ctx_tokens) + "," +
                     logits.backend + "," + std::to_string(likeliest(logits.values)) + ",";
  for (std::size_t i = 0; i < logits.values.size(); ++i) {
    line.append(i == 0 ? "" : " ").append(shortest(logits.values[i]));
  }
  return line.append("\n");
}

Result<std::vector<FrontierLogits>> parse_logits(std::string_view text, std::string_view name) {
  const std::vector<std::string_view> lines = csv_lines(text);
  if (lines.empty() || std::string(lines.front()) + "\n" != logits_header()) {
    return fail(Errc::bad_file, name, ": line 1: expected the header of ds4-bench --logits, ",
                logits_header().substr(0, logits_header().size() - 1));
  }
  std::vector<FrontierLogits> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string_view> cells = csv_cells(lines[i]);
    FrontierLogits row;
    if (cells.size() != kColumns.size() || !parse_count(cells[0], row.run) ||
        !parse_count(cells[1], row.ctx_tokens)) {
      return fail(Errc::bad_file, name, ": line ", i + 1, ": expected ", kColumns.size(),
                  " cells that begin with run and ctx_tokens");
    }
    row.backend = cells[2];
    auto values = parse_values(cells[4]);
    if (!values) return values.error().in(name, ": line ", i + 1);
    row.values = *std::move(values);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return fail(Errc::bad_file, name, ": has no rows");
  return rows;
}

Result<std::string> logits_comparison(std::span<const FrontierLogits> first,
                                      std::span<const FrontierLogits> second,
                                      const std::string& first_name,
                                      const std::string& second_name) {
  TextTable table(
      {"ctx", "bits equal", "max |A-B|", "rms", "cosine", "argmax A", "argmax B", "of top 10"});
  std::vector<std::uint32_t> seen;
  for (const FrontierLogits& a : first) {
    if (std::find(seen.begin(), seen.end(), a.ctx_tokens) != seen.end()) continue;
    const FrontierLogits* const b = find(second, a.ctx_tokens);
    if (b == nullptr) continue;
    seen.push_back(a.ctx_tokens);
    if (a.values.size() != b->values.size()) {
      return fail(Errc::invalid_argument, first_name, " has ", a.values.size(), " logits at ",
                  a.ctx_tokens, " tokens, ", second_name, " has ", b->values.size());
    }
    add_row(table, a, *b);
  }
  if (seen.empty()) {
    return fail(Errc::invalid_argument, first_name, " and ", second_name,
                " have no frontier in common");
  }
  return "logits A: " + first_name + "\nlogits B: " + second_name + "\n" + table.text();
}

Result<void> check_restored(std::span<const float> before, std::span<const float> after) {
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i) {
    if (std::memcmp(&before[i], &after[i], sizeof(float)) == 0) continue;
    return fail(Errc::internal, "going back is not exact: evaluated again, the logit of token ", i,
                " is ", shortest(after[i]), ", before it was ", shortest(before[i]));
  }
  if (before.size() == after.size()) return {};
  return fail(Errc::internal, "going back is not exact: there are ", after.size(),
              " logits, before there were ", before.size());
}

}  // namespace ds4::bench
