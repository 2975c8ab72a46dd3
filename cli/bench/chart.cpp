#include "bench/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "common/progress.hpp"

namespace ds4::bench {
namespace {

using cli::decimals;

constexpr double kWidth = 900;
constexpr double kHeight = 480;
constexpr double kLeft = 80;
constexpr double kRight = 820;
constexpr double kTop = 60;
constexpr double kBottom = 410;
constexpr const char* kPrefillColor = "#2060c0";
constexpr const char* kDecodeColor = "#c03030";

double power_below(double value) {
  return std::pow(10.0, std::floor(std::log10(value)));
}

/// The first of the steps, times a power of ten, that is not below `value`.
template <std::size_t N>
double round_up(double value, const std::array<double, N>& steps) {
  const double power = power_below(value);
  for (const double step : steps) {
    if (value <= step * power * (1 + 1e-12)) return step * power;
  }
  return 10 * power;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

std::string tick_label(double value) {
  const bool is_large = value > 999;
  std::string text = decimals(is_large ? value / 1000 : value, 2);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return is_large ? text + "k" : text;
}

std::string text_at(double x, double y, const char* anchor, const char* color,
                    const std::string& text) {
  std::string out = "<text x=\"" + decimals(x, 1) + "\" y=\"" + decimals(y, 1);
  out.append("\" text-anchor=\"").append(anchor).append("\" fill=\"").append(color);
  return out.append("\">").append(escaped(text)).append("</text>\n");
}

std::string line_between(double x1, double y1, double x2, double y2) {
  std::string out = "<line x1=\"" + decimals(x1, 1) + "\" y1=\"" + decimals(y1, 1);
  out += "\" x2=\"" + decimals(x2, 1) + "\" y2=\"" + decimals(y2, 1);
  return out + "\" stroke=\"#d0d0d0\"/>\n";
}

struct Scale {
  double end;
  [[nodiscard]] double x(double value) const { return kLeft + (kRight - kLeft) * value / end; }
  [[nodiscard]] double y(double value) const { return kBottom - (kBottom - kTop) * value / end; }
};

double largest(const std::vector<BenchRow>& rows, double BenchRow::*field) {
  double most = 0;
  for (const BenchRow& row : rows) most = std::max(most, row.*field);
  return most;
}

std::string curve(const std::vector<BenchRow>& rows, double BenchRow::*field, Scale across,
                  Scale up, const char* color, bool is_dashed) {
  std::string out = "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"";
  out.append(color).append("\"").append(is_dashed ? " stroke-dasharray=\"6 4\"" : "");
  out += " points=\"";
  for (const BenchRow& row : rows) {
    out += decimals(across.x(row.ctx_tokens), 1) + "," + decimals(up.y(row.*field), 1) + " ";
  }
  out.back() = '"';
  return out + "/>\n";
}

}  // namespace

double axis_end(double most) {
  return most <= 0 ? 1 : round_up(1.05 * most, std::array{1.0, 2.0, 2.5, 3.0, 4.0, 5.0});
}

double tick_step(double end, int count) {
  return round_up(end / count, std::array{1.0, 2.0, 2.5, 5.0});
}

Result<std::string> draw_chart(const std::vector<BenchRow>& rows,
                               const std::vector<BenchRow>& second, const std::string& title) {
  if (rows.size() < 2) {
    return fail(Errc::invalid_argument, "a chart needs rows of at least two contexts, there is ",
                rows.size());
  }
  std::uint32_t furthest = rows.back().ctx_tokens;
  if (!second.empty()) furthest = std::max(furthest, second.back().ctx_tokens);
  const auto end_of = [&](double BenchRow::*field) {
    return axis_end(std::max(largest(rows, field), largest(second, field)));
  };
  const Scale across{static_cast<double>(furthest)};
  const Scale prefill{end_of(&BenchRow::prefill_tps)};
  const Scale decode{end_of(&BenchRow::gen_tps)};

  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + decimals(kWidth, 0);
  out +=
      "\" height=\"" + decimals(kHeight, 0) + "\" font-family=\"sans-serif\" font-size=\"13\">\n";
  out += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  out += text_at((kLeft + kRight) / 2, 30, "middle", "black", title);
  for (double at = 0; at <= across.end * (1 + 1e-9); at += tick_step(across.end, 6)) {
    out += line_between(across.x(at), kTop, across.x(at), kBottom);
    out += text_at(across.x(at), kBottom + 20, "middle", "black", tick_label(at));
  }
  for (double at = 0; at <= prefill.end * (1 + 1e-9); at += tick_step(prefill.end, 5)) {
    out += line_between(kLeft, prefill.y(at), kRight, prefill.y(at));
    out += text_at(kLeft - 8, prefill.y(at) + 4, "end", kPrefillColor, tick_label(at));
  }
  for (double at = 0; at <= decode.end * (1 + 1e-9); at += tick_step(decode.end, 5)) {
    out += text_at(kRight + 8, decode.y(at) + 4, "start", kDecodeColor, tick_label(at));
  }
  out += text_at(kLeft, kTop - 12, "middle", kPrefillColor, "prefill, tokens/s");
  out += text_at(kRight, kTop - 12, "middle", kDecodeColor, "decode, tokens/s");
  out += text_at((kLeft + kRight) / 2, kBottom + 45, "middle", "black", "context, tokens");
  for (const bool is_second : {false, true}) {
    const std::vector<BenchRow>& shown = is_second ? second : rows;
    if (shown.empty()) continue;
    out += curve(shown, &BenchRow::prefill_tps, across, prefill, kPrefillColor, is_second);
    out += curve(shown, &BenchRow::gen_tps, across, decode, kDecodeColor, is_second);
  }
  return out + "</svg>\n";
}

std::string chart_name(const std::string& csv) {
  std::filesystem::path path(csv);
  return path.replace_filename(path.stem().string() + "_ts.svg").string();
}

}  // namespace ds4::bench
