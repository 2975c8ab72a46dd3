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

void add_kv(Table& table, const DeviceMemory& memory) {
  table.line("KV rings", memory.rings, " (" + memory_text(memory.slot_bytes) + " a session)");
  if (memory.restore_points != 0) table.line("restore points", memory.restore_points);
  for (const PageMemory& entry : memory.pages) {
    if (entry.page_bytes == 0) continue;  // layers of this ratio lie elsewhere
    table.line("KV pages of ratio " + std::to_string(entry.ratio), entry.bytes(),
               " (" + std::to_string(entry.pages) + " pages)");
  }
}

void add_device(Table& table, const DeviceMemory& memory, bool is_estimate) {
  add_weights(table, memory.weights);
  add_kv(table, memory);
  table.line("activations and device logits", memory.activations);
  table.line(is_estimate ? "workspace (estimate)" : "workspace", memory.workspace);
  table.line("step block and page tables", memory.step);
}

/// One after the other, each with what it holds beside the pages of the file.
void add_devices(Table& table, const MemoryPlan& plan) {
  if (plan.devices.size() == 1) return add_device(table, plan, plan.is_estimate);
  for (const DeviceMemory& memory : plan.devices) {
    table.text("on " + memory.device + ": " + memory.share);
    add_device(table, memory, plan.is_estimate);
    table.line("sum on " + memory.device, memory.bytes(),
               memory.shares_host_memory ? " of the host's memory" : "");
  }
  table.text("on the host");
}

void add_experts(Table& table, const ExpertMemory& experts) {
  std::string note = " (" + std::to_string(experts.held) + " of ";
  note += std::to_string(experts.all) + " routed experts; their tensors take ";
  note += memory_text(experts.tensor_bytes) + ")";
  table.line("expert cache", experts.bytes(), note);
}

void add_shadow(Table& table, const ShadowMemory& shadow) {
  std::string note = " (weights copied " + memory_text(shadow.weights.on_device());
  note += ", in place " + memory_text(shadow.weights.in_place - shadow.in_place_shared);
  note += " of its own and " + memory_text(shadow.in_place_shared) + " shared)";
  table.line("shadow on " + shadow.device, shadow.bytes(), note);
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
  DS4_TRY(report.plan, planner.best_plan(limits));
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
  add_devices(table, plan);
  table.line("staging and plans", plan.staging);
  if (plan.streams != 0) table.line("streams between devices", plan.streams);
  table.line("host logits", plan.host_logits);
  table.line("program, vocabulary, header", plan.program);
  if (plan.experts) add_experts(table, *plan.experts);
  if (plan.shadow) add_shadow(table, *plan.shadow);
  if (plan.device_bytes() != 0) {
    table.line(plan.devices.size() == 1 && !plan.shadow ? "total on the device"
                                                        : "total in memory of devices",
               plan.device_bytes());
  }
  table.line(plan.shares_host_memory ? "total" : "total on the host", plan.host_bytes());
  table.line("headroom", plan_headroom(plan.host_bytes()) + plan_headroom(plan.device_bytes()));
  table.text("one more token: " + decimals(plan.bytes_per_token(), 1) + " bytes of KV pages");
  for (const MemoryBound& bound : report.limits.host.bounds) {
    table.line("available", bound.available, " (" + bound.source + ")");
  }
  for (const MemoryLimits::Device& limit : report.limits.devices) {
    table.line("available on the device", limit.bound.available, " (" + limit.bound.source + ")");
  }
  table.text(verdict(report));
  return table.take();
}

namespace {

void weight_members(JsonWriter& json, const WeightMemory& weights) {
  json.key("weights").begin_object();
  json.key("tensors").unsigned_integer(weights.tensors);
  json.key("in_place").unsigned_integer(weights.in_place);
  json.key("copied").unsigned_integer(weights.copied);
  json.key("converted").unsigned_integer(weights.converted);
  json.key("converted_source").unsigned_integer(weights.converted_source);
  json.end_object();
}

void kv_members(JsonWriter& json, const DeviceMemory& memory) {
  json.key("ring_bytes_per_session").unsigned_integer(memory.slot_bytes);
  json.key("rings").unsigned_integer(memory.rings);
  json.key("restore_points").unsigned_integer(memory.restore_points);
  json.key("pages").begin_array();
  for (const PageMemory& entry : memory.pages) {
    json.begin_object();
    json.key("ratio").unsigned_integer(entry.ratio);
    json.key("pages").unsigned_integer(entry.pages);
    json.key("bytes").unsigned_integer(entry.bytes());
    json.end_object();
  }
  json.end_array();
}

void step_members(JsonWriter& json, const DeviceMemory& memory) {
  json.key("activations").unsigned_integer(memory.activations);
  json.key("workspace").unsigned_integer(memory.workspace);
  json.key("step").unsigned_integer(memory.step);
}

void device_members(JsonWriter& json, const MemoryPlan& plan) {
  json.key("devices").begin_array();
  for (const DeviceMemory& memory : plan.devices) {
    json.begin_object();
    json.key("backend").string(memory.device);
    json.key("runs").string(memory.share);
    json.key("shares_host_memory").boolean(memory.shares_host_memory);
    weight_members(json, memory.weights);
    kv_members(json, memory);
    step_members(json, memory);
    json.key("bytes").unsigned_integer(memory.bytes());
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void plan_members(JsonWriter& json, const PlanReport& report) {
  const MemoryPlan& plan = report.plan;
  json.key("context").unsigned_integer(plan.context);
  json.key("sessions").unsigned_integer(plan.sessions);
  json.key("prefill_rows").unsigned_integer(plan.prefill_rows);
  json.key("backend").string(plan.device);
  json.key("estimate").boolean(plan.is_estimate);
  weight_members(json, plan.weights);
  kv_members(json, plan);
  json.key("kv_bytes_per_token").number(plan.bytes_per_token());
  step_members(json, plan);
  if (plan.devices.size() > 1) device_members(json, plan);
  json.key("staging").unsigned_integer(plan.staging);
  if (plan.devices.size() > 1) json.key("streams").unsigned_integer(plan.streams);
  json.key("host_logits").unsigned_integer(plan.host_logits);
  json.key("program").unsigned_integer(plan.program);
  if (plan.experts) {
    json.key("expert_cache").begin_object();
    json.key("bytes").unsigned_integer(plan.experts->bytes());
    json.key("held").unsigned_integer(plan.experts->held);
    json.key("experts").unsigned_integer(plan.experts->all);
    json.key("slot_bytes").unsigned_integer(plan.experts->slot_bytes);
    json.key("tensor_bytes").unsigned_integer(plan.experts->tensor_bytes);
    json.key("weights_do_not_fit").boolean(plan.experts->is_forced);
    json.end_object();
  }
  if (plan.shadow) {
    const ShadowMemory& shadow = *plan.shadow;
    json.key("shadow").begin_object();
    json.key("backend").string(shadow.device);
    json.key("in_place").unsigned_integer(shadow.weights.in_place);
    json.key("in_place_shared").unsigned_integer(shadow.in_place_shared);
    json.key("copied").unsigned_integer(shadow.weights.copied);
    json.key("converted").unsigned_integer(shadow.weights.converted);
    json.key("mirrors").unsigned_integer(shadow.mirrors);
    json.key("workspace").unsigned_integer(shadow.workspace);
    json.key("host").unsigned_integer(shadow.host);
    json.key("host_bytes").unsigned_integer(shadow.host_bytes());
    json.key("device_bytes").unsigned_integer(shadow.device_bytes());
    json.end_object();
  }
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

ExitCode print_plan(const Runtime& runtime, const std::string& path, const RuntimeOptions& options,
                    const EngineOptions& engine, PlanStyle style) {
  const Console& console = runtime.console();
  const auto model = open_model(path, ModelChecks::header);
  if (!model) {
    console.error(model.error().what);
    return exit_code(model.error().code);
  }
  const std::uint32_t layers = model->config().layers;
  if (const auto fitting = check_placement(options, layers); !fitting) {
    console.error(fitting.error().what);
    return kUsage;
  }
  OpenDevices devices;
  if (const ExitCode opened = runtime.open_devices(options, devices); opened != kSuccess) {
    return opened;
  }
  const auto text = [&]() -> Result<std::string> {
    DS4_TRY(const EngineDevices placed, devices.for_layers(layers));
    DS4_TRY(MemoryPlanner planner,
            MemoryPlanner::make(*model, MemoryPlanInputs::of(engine), PlacedQuestions::of(placed)));
    std::vector<std::shared_ptr<plugins::Device>> all = devices.devices;
    if (engine.shadow.device) {
      DS4_CHECK(planner.add_shadow(*engine.shadow.device));
      all.push_back(engine.shadow.device);
    }
    DS4_TRY(const PlanReport report, PlanReport::make(planner, memory_limits(all)));
    return style == PlanStyle::json ? plan_json(report) : plan_text(report);
  }();
  if (!text) {
    console.error(text.error().what);
    return exit_code(text.error().code);
  }
  if (console.write(*text)) return kSuccess;
  console.error("standard output does not take the plan");
  return kFailure;
}

}  // namespace ds4::cli
