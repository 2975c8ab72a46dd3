#include "bench/compare.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/progress.hpp"

namespace ds4::bench {
namespace {

const BenchRow* find(const std::vector<BenchRow>& rows, std::uint32_t context) {
  const auto at = std::find_if(rows.begin(), rows.end(), [context](const BenchRow& row) {
    return row.ctx_tokens == context;
  });
  return at == rows.end() ? nullptr : &*at;
}

std::string padded(std::string text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string ratio(double first, double second) {
  return first > 0 ? cli::decimals(second / first, 3) : "-";
}

}  // namespace

Result<std::string> comparison(const std::vector<BenchRow>& first,
                               const std::vector<BenchRow>& second, const std::string& first_name,
                               const std::string& second_name) {
  std::string out = "A: " + first_name + "\nB: " + second_name + "\n";
  for (const char* title :
       {"ctx", "prefill A", "prefill B", "B/A", "decode A", "decode B", "B/A"}) {
    out += padded(title, 11);
  }
  out += "\n";
  bool is_empty = true;
  const std::vector<BenchRow> others = medians(second);
  for (const BenchRow& a : medians(first)) {
    const BenchRow* b = find(others, a.ctx_tokens);
    if (b == nullptr) continue;
    is_empty = false;
    out += padded(std::to_string(a.ctx_tokens), 11);
    for (const auto field : {&BenchRow::prefill_tps, &BenchRow::gen_tps}) {
      out += padded(cli::decimals(a.*field, 2), 11) + padded(cli::decimals(b->*field, 2), 11) +
             padded(ratio(a.*field, b->*field), 11);
    }
    out += "\n";
  }
  if (is_empty) {
    return fail(Errc::invalid_argument, first_name, " and ", second_name,
                " have no context in common");
  }
  return out;
}

Result<std::vector<Loss>> losses(const std::vector<BenchRow>& baseline,
                                 const std::vector<BenchRow>& now, double share) {
  struct Kind {
    const char* what;
    double BenchRow::*field;
  };
  constexpr std::array kKinds = {Kind{"decode", &BenchRow::ratio},
                                 Kind{"prefill", &BenchRow::prefill_ratio}};
  std::vector<Loss> out;
  bool is_empty = true;
  const std::vector<BenchRow> current = medians(now);
  for (const BenchRow& before : medians(baseline)) {
    const BenchRow* row = find(current, before.ctx_tokens);
    if (row == nullptr) continue;
    for (const Kind& kind : kKinds) {
      if (before.*kind.field <= 0) continue;
      is_empty = false;
      if (row->*kind.field >= before.*kind.field * (1 - share)) continue;
      out.push_back({before.ctx_tokens, kind.what, before.*kind.field, row->*kind.field});
    }
  }
  if (is_empty) {
    return fail(Errc::invalid_argument,
                "the baseline has no ratio at a context that was measured; give the --ctx-start, "
                "--ctx-max and steps that it was made with");
  }
  return out;
}

std::vector<Loss> repeated(const std::vector<Loss>& first, const std::vector<Loss>& second) {
  std::vector<Loss> out;
  for (const Loss& loss : second) {
    const bool is_in_both = std::any_of(first.begin(), first.end(), [&loss](const Loss& other) {
      return other.ctx_tokens == loss.ctx_tokens && std::strcmp(other.what, loss.what) == 0;
    });
    if (is_in_both) out.push_back(loss);
  }
  return out;
}

}  // namespace ds4::bench
