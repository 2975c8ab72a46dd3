#include "engine/memory_plan.hpp"

#include <array>
#include <charconv>

#include "plan/step_layout.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

std::string fixed(double value, int decimals) {
  std::array<char, 48> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 std::chars_format::fixed, decimals);
  return {text.data(), end.ptr};
}

bool within(std::uint64_t need, std::uint64_t available) noexcept {
  return need == 0 || (need <= available && plan_headroom(need) <= available - need);
}

std::uint64_t device_only(const MemoryPlan& plan) noexcept {
  return plan.weights.on_device() + plan.kv() + plan.activations + plan.workspace + plan.step;
}

std::string parts(const MemoryPlan& plan) {
  std::string text = "weights " + memory_text(plan.weights.in_place + plan.weights.on_device());
  text += ", KV of " + std::to_string(plan.sessions) + " x " + std::to_string(plan.context) +
          " tokens " + memory_text(plan.kv());
  text += ", activations and workspace " + memory_text(plan.activations + plan.workspace);
  return text + ", the rest " +
         memory_text(plan.step + plan.staging + plan.host_logits + plan.program);
}

}  // namespace

std::uint64_t MemoryPlan::page_pool() const noexcept {
  std::uint64_t bytes = 0;
  for (const PageMemory& entry : pages) bytes += entry.bytes();
  return bytes;
}

double MemoryPlan::bytes_per_token() const noexcept {
  double bytes = 0;
  for (const PageMemory& entry : pages) {
    bytes += static_cast<double>(entry.page_bytes) / (double{kPageRows} * entry.ratio);
  }
  return bytes;
}

std::uint64_t MemoryPlan::host_bytes() const noexcept {
  const std::uint64_t own = weights.in_place + staging + host_logits + program;
  return shares_host_memory ? own + device_only(*this) : own;
}

std::uint64_t MemoryPlan::device_bytes() const noexcept {
  return shares_host_memory ? 0 : device_only(*this);
}

bool fits(const MemoryPlan& plan, const MemoryLimits& limits) noexcept {
  const MemoryBound* host = limits.host.tightest();
  return (host == nullptr || within(plan.host_bytes(), host->available)) &&
         (!limits.device || within(plan.device_bytes(), limits.device->available));
}

std::string shortage(const MemoryPlan& plan, const MemoryLimits& limits) {
  const MemoryBound* host = limits.host.tightest();
  const bool is_host = host != nullptr && !within(plan.host_bytes(), host->available);
  const std::uint64_t need = is_host ? plan.host_bytes() : plan.device_bytes();
  const MemoryBound& bound = is_host || !limits.device ? *host : *limits.device;
  return "the model needs " + memory_text(need) + " of " + (is_host ? "host" : "device") +
         " memory and " + memory_text(plan_headroom(need)) + " of headroom (" + parts(plan) +
         "), but only " + memory_text(bound.available) + " are available (" + bound.source + ")";
}

std::string memory_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  const double mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  return mib < 1024 ? fixed(mib, mib < 10 ? 2 : 1) + " MiB" : fixed(mib / 1024, 2) + " GiB";
}

}  // namespace ds4
