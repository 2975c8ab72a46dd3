#include "common/plan_report.hpp"

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

#include "common/progress.hpp"

namespace ds4::cli {
namespace {

constexpr std::size_t kNameColumn = 32;
constexpr std::size_t kByteColumn = 17;

class Table {
 public:
  void line(const std::string& name, std::uint64_t bytes, const std::string& note = "") {
    std::string number = std::to_string(bytes);
    number.insert(0, kByteColumn - std::min(kByteColumn, number.size()), ' ');
    out_ << name << std::string(kNameColumn - std::min(kNameColumn, name.size()), ' ') << number
         << "  " << memory_text(bytes) << note << "\n";
  }
  void text(const std::string& line) { out_ << line << "\n"; }
  [[nodiscard]] std::string take() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

void add_weights(Table& table, const WeightMemory& weights) {
  table.line("weights in place", weights.in_place,
             " (" + std::to_string(weights.tensors) + " tensors in all)");
  if (weights.copied != 0) table.line("weights copied", weights.copied);
  if (weights.converted != 0) {
    table.line("weights converted", weights.converted,
               " (" + memory_text(weights.converted_source) + " in the file)");
  }
}

void add_kv(Table& table, const MemoryPlan& plan) {
  table.line("KV rings", plan.rings, " (" + memory_text(plan.slot_bytes) + " a session)");
  if (plan.restore_points != 0) table.line("restore points", plan.restore_points);
  for (const PageMemory& entry : plan.pages) {
    table.line("KV pages of ratio " + std::to_string(entry.ratio), entry.bytes(),
               " (" + std::to_string(entry.pages) + " pages)");
  }
}

std::string verdict(const PlanReport& report) {
  if (report.fits()) return "fits";
  const std::string text = "does not fit: " + shortage(report.plan, report.limits);
  if (report.largest_context == 0) return text + "; no context would fit";
  return text + "; the largest context that fits is " + std::to_string(report.largest_context) +
         " tokens";
}

}  // namespace

Result<PlanReport> PlanReport::make(const MemoryPlanner& planner, MemoryLimits limits) {
  PlanReport report;
  DS4_TRY(report.plan, planner.plan());
  report.limits = std::move(limits);
  report.largest_context = report.plan.context;
  if (!ds4::fits(report.plan, report.limits)) {
    DS4_TRY(report.largest_context, planner.largest_context(report.limits));
  }
  return report;
}

std::string plan_text(const PlanReport& report) {
  const MemoryPlan& plan = report.plan;
  Table table;
  table.text("memory plan: " + std::to_string(plan.sessions) + " x " +
             std::to_string(plan.context) + " tokens, " + std::to_string(plan.prefill_rows) +
             " prefill rows, " +
             (plan.is_estimate ? "no device asked: weights mapped in place, workspace estimated"
                               : "backend " + plan.device));
  add_weights(table, plan.weights);
  add_kv(table, plan);
  table.line("activations and device logits", plan.activations);
  table.line(plan.is_estimate ? "workspace (estimate)" : "workspace", plan.workspace);
  table.line("step block and page tables", plan.step);
  table.line("staging and plans", plan.staging);
  table.line("host logits", plan.host_logits);
  table.line("program, vocabulary, header", plan.program);
  if (!plan.shares_host_memory) table.line("total on the device", plan.device_bytes());
  table.line(plan.shares_host_memory ? "total" : "total on the host", plan.host_bytes());
  table.line("headroom", plan_headroom(plan.host_bytes()) + plan_headroom(plan.device_bytes()));
  table.text("one more token: " + decimals(plan.bytes_per_token(), 1) + " bytes of KV pages");
  for (const MemoryBound& bound : report.limits.host.bounds) {
    table.line("available", bound.available, " (" + bound.source + ")");
  }
  if (report.limits.device) {
    table.line("available on the device", report.limits.device->available,
               " (" + report.limits.device->source + ")");
  }
  table.text(verdict(report));
  return table.take();
}

void plan_members(JsonWriter& json, const PlanReport& report) {
  const MemoryPlan& plan = report.plan;
  json.key("context").unsigned_integer(plan.context);
  json.key("sessions").unsigned_integer(plan.sessions);
  json.key("prefill_rows").unsigned_integer(plan.prefill_rows);
  json.key("backend").string(plan.device);
  json.key("estimate").boolean(plan.is_estimate);
  json.key("weights").begin_object();
  json.key("tensors").unsigned_integer(plan.weights.tensors);
  json.key("in_place").unsigned_integer(plan.weights.in_place);
  json.key("copied").unsigned_integer(plan.weights.copied);
  json.key("converted").unsigned_integer(plan.weights.converted);
  json.key("converted_source").unsigned_integer(plan.weights.converted_source);
  json.end_object();
  json.key("ring_bytes_per_session").unsigned_integer(plan.slot_bytes);
  json.key("rings").unsigned_integer(plan.rings);
  json.key("restore_points").unsigned_integer(plan.restore_points);
  json.key("pages").begin_array();
  for (const PageMemory& entry : plan.pages) {
    json.begin_object();
    json.key("ratio").unsigned_integer(entry.ratio);
    json.key("pages").unsigned_integer(entry.pages);
    json.key("bytes").unsigned_integer(entry.bytes());
    json.end_object();
  }
  json.end_array();
  json.key("kv_bytes_per_token").number(plan.bytes_per_token());
  json.key("activations").unsigned_integer(plan.activations);
  json.key("workspace").unsigned_integer(plan.workspace);
  json.key("step").unsigned_integer(plan.step);
  json.key("staging").unsigned_integer(plan.staging);
  json.key("host_logits").unsigned_integer(plan.host_logits);
  json.key("program").unsigned_integer(plan.program);
  json.key("host_bytes").unsigned_integer(plan.host_bytes());
  json.key("device_bytes").unsigned_integer(plan.device_bytes());
  json.key("headroom")
      .unsigned_integer(plan_headroom(plan.host_bytes()) + plan_headroom(plan.device_bytes()));
  json.key("bounds").begin_array();
  for (const MemoryBound& bound : report.limits.host.bounds) {
    json.begin_object();
    json.key("source").string(bound.source);
    json.key("available").unsigned_integer(bound.available);
    json.end_object();
  }
  json.end_array();
  json.key("fits").boolean(report.fits());
  json.key("largest_context").unsigned_integer(report.largest_context);
}

std::string plan_json(const PlanReport& report) {
  JsonWriter json;
  json.begin_object();
  plan_members(json, report);
  json.end_object();
  return json.take() + "\n";
}

ExitCode print_plan(const Runtime& runtime, const std::string& path, const std::string& backend,
                    const EngineOptions& engine, PlanStyle style) {
  const Console& console = runtime.console();
  std::shared_ptr<plugins::Device> device;
  ExitCode opened = kSuccess;
  const auto text = [&]() -> Result<std::string> {
    DS4_TRY(const ModelFile model, open_model(path, ModelChecks::header));
    opened = runtime.open_device(backend, device);
    if (opened != kSuccess) return std::string();
    DS4_TRY(const MemoryPlanner planner, MemoryPlanner::make(model, MemoryPlanInputs::of(engine),
                                                             PlanQuestions::of(device.get())));
    DS4_TRY(const PlanReport report, PlanReport::make(planner, memory_limits(device.get())));
    return style == PlanStyle::json ? plan_json(report) : plan_text(report);
  }();
  if (opened != kSuccess) return opened;  // said already
  if (!text) {
    console.error(text.error().what);
    return exit_code(text.error().code);
  }
  if (console.write(*text)) return kSuccess;
  console.error("standard output does not take the plan");
  return kFailure;
}

}  // namespace ds4::cli
