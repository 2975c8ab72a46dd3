#include "common/shadow.hpp"

#include "common/numbers.hpp"
#include "engine/op_compare.hpp"
#include "registry/registry.hpp"

namespace ds4::cli {
namespace {

constexpr std::string_view kEvery = "every=";

std::string count_of(std::uint64_t count, std::string_view what) {
  std::string text = std::to_string(count);
  text.append(" ").append(what);
  if (count != 1) text.append("s");
  return text;
}

bool is_nearer(const ShadowWorst& a, const ShadowWorst& b) {
  return a.error * b.limit > b.error * a.limit;
}

}  // namespace

Result<ShadowRequest> parse_shadow(std::string_view text) {
  ShadowRequest request;
  const std::size_t colon = text.rfind(':');
  const std::string_view last = colon == std::string_view::npos ? text : text.substr(colon + 1);
  std::string_view backend = text;
  if (last.substr(0, kEvery.size()) == kEvery) {
    DS4_TRY(const std::uint64_t every, parse_integer(last.substr(kEvery.size()), 1, kMaxInteger));
    request.every = static_cast<std::uint32_t>(every);
    if (colon == std::string_view::npos) return request;
    backend = text.substr(0, colon);
  }
  if (backend.empty() || !plugins::parse_backend_request(backend)) {
    return fail(Errc::invalid_argument, "expected NAME[:DEVICE][:every=N], got '", text, "'");
  }
  request.backend = backend;
  return request;
}

void declare_shadow_option(OptionTable& table, RuntimeOptions& options) {
  table.value(
      "--shadow", "NAME[:N][:every=N]", Topic::diagnostics,
      "run each op again on backend NAME (cpu-reference), of every Nth step, and end at the first "
      "that is out of tolerance",
      [&options](const std::string& text) -> Result<void> {
        DS4_TRY(options.shadow, parse_shadow(text));
        return {};
      },
      OptionTable::Repeat::refused);
}

std::string shadow_summary(const ShadowReport& report) {
  std::string text = "shadow " + report.device + ": " + count_of(report.ops, "op") + " in " +
                     std::to_string(report.steps_compared) + " of " +
                     count_of(report.steps, "step") + " compared, ";
  text += report.findings == 0 ? std::string("none out of tolerance")
                               : std::to_string(report.findings) + " out of tolerance";
  const ShadowWorst* nearest = nullptr;
  for (const ShadowWorst& output : report.outputs) {
    if (output.error > 0 && (nearest == nullptr || is_nearer(output, *nearest))) nearest = &output;
  }
  if (nearest != nullptr && report.findings == 0) {
    text.append("; nearest to its limit: ").append(nearest->output).append(" ");
    text.append(short_number(nearest->error)).append(" of ").append(short_number(nearest->limit));
  }
  if (report.other_choices != 0) {
    text.append("; ").append(count_of(report.other_choices, "row"));
    text.append(" chose other experts by near ties");
  }
  std::string reduced;
  for (const ShadowWorst& output : report.outputs) {
    if (output.is_reduced) reduced.append(" ").append(output.output);
  }
  if (!reduced.empty()) text.append("; at reduced precision:").append(reduced);
  std::string missing;
  for (const std::string& op : report.not_compared) missing.append(" ").append(op);
  if (!missing.empty()) text.append("; not compared:").append(missing);
  return text;
}

void say_shadow(const Console& console, const LogSink& log, const ShadowReport& report) {
  console.note(shadow_summary(report));
  if (!log) return;
  for (const ShadowWorst& output : report.outputs) {
    std::string text = output.output;
    text.append(": ").append(std::to_string(output.compared)).append(" compared, worst ");
    text.append(short_number(output.error)).append(" of ").append(short_number(output.limit));
    log(LogLevel::debug, "shadow", text);
  }
}

}  // namespace ds4::cli
