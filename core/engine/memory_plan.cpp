#include "engine/memory_plan.hpp"

#include <algorithm>
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

std::string kv_and_weights(const MemoryPlan& plan, const DeviceMemory& of) {
  std::string text = "weights " + memory_text(of.weights.in_place + of.weights.on_device());
  text += ", KV of " + std::to_string(plan.sessions) + " x " + std::to_string(plan.context) +
          " tokens " + memory_text(of.kv());
  return text + ", activations and workspace " + memory_text(of.activations + of.workspace);
}

std::string parts(const MemoryPlan& plan) {
  std::string text = kv_and_weights(plan, plan);
  if (plan.experts) {
    text += ", an expert cache of " + std::to_string(plan.experts->held) + " of ";
    text += std::to_string(plan.experts->all) + " experts " + memory_text(plan.experts->bytes());
  }
  if (plan.shadow) {
    const ShadowMemory& shadow = *plan.shadow;
    text += ", the shadow on " + shadow.device + " " + memory_text(shadow.bytes()) +
            " (weights once more " + memory_text(shadow.weights.on_device());
    text += ", in place " + memory_text(shadow.weights.in_place - shadow.in_place_shared) + ")";
  }
  return text + ", the rest " +
         memory_text(plan.step + plan.staging + plan.streams + plan.host_logits + plan.program);
}

/// What the plan puts into the memory that a bound is about. A shadow counts as the device behind
/// the last one.
DeviceMemory held(const MemoryPlan& plan, const MemoryLimits::Device& limit) {
  DeviceMemory sum;
  for (const std::size_t index : limit.of) {
    if (index < plan.devices.size()) sum += plan.devices[index];
  }
  return sum;
}

std::uint64_t needed(const MemoryPlan& plan, const MemoryLimits::Device& limit) {
  const bool has_shadow = plan.shadow && std::find(limit.of.begin(), limit.of.end(),
                                                   plan.devices.size()) != limit.of.end();
  return held(plan, limit).bytes() + (has_shadow ? plan.shadow->device_bytes() : 0);
}

std::string shortage_text(const std::string& who, std::uint64_t need, const char* where,
                          const std::string& what, const MemoryBound& bound) {
  return who + " needs " + memory_text(need) + " of " + where + " memory and " +
         memory_text(plan_headroom(need)) + " of headroom (" + what + "), but only " +
         memory_text(bound.available) + " are available (" + bound.source + ")";
}

}  // namespace

std::uint64_t DeviceMemory::page_pool() const noexcept {
  std::uint64_t bytes = 0;
  for (const PageMemory& entry : pages) bytes += entry.bytes();
  return bytes;
}

DeviceMemory& DeviceMemory::operator+=(const DeviceMemory& other) {
  const bool is_first = device.empty() && share.empty();
  device.append(is_first ? "" : " and ").append(other.device);
  share.append(is_first ? "" : "; ").append(other.share);
  shares_host_memory = other.shares_host_memory && (is_first || shares_host_memory);
  weights.tensors += other.weights.tensors;
  weights.in_place += other.weights.in_place;
  weights.copied += other.weights.copied;
  weights.converted += other.weights.converted;
  weights.converted_source += other.weights.converted_source;
  slot_bytes += other.slot_bytes;
  rings += other.rings;
  restore_points += other.restore_points;
  // Every device names every ratio, with no bytes where it has no such layer.
  pages.resize(other.pages.size());
  for (std::size_t c = 0; c < pages.size(); ++c) {
    pages[c] = {other.pages[c].ratio, other.pages[c].pages,
                pages[c].page_bytes + other.pages[c].page_bytes};
  }
  activations += other.activations;
  workspace += other.workspace;
  step += other.step;
  return *this;
}

double MemoryPlan::bytes_per_token() const noexcept {
  double bytes = 0;
  for (const PageMemory& entry : pages) {
    bytes += static_cast<double>(entry.page_bytes) / (double{kPageRows} * entry.ratio);
  }
  return bytes;
}

std::uint64_t MemoryPlan::host_bytes() const noexcept {
  std::uint64_t bytes = weights.in_place + staging + streams + host_logits + program;
  for (const DeviceMemory& entry : devices) bytes += entry.shares_host_memory ? entry.bytes() : 0;
  if (experts) bytes += experts->bytes();
  return bytes + (shadow ? shadow->host_bytes() : 0);
}

std::uint64_t MemoryPlan::device_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const DeviceMemory& entry : devices) bytes += entry.shares_host_memory ? 0 : entry.bytes();
  return bytes + (shadow ? shadow->device_bytes() : 0);
}

bool fits(const MemoryPlan& plan, const MemoryLimits& limits) {
  const MemoryBound* host = limits.host.tightest();
  return (host == nullptr || within(plan.host_bytes(), host->available)) &&
         std::all_of(limits.devices.begin(), limits.devices.end(), [&](const auto& limit) {
           return within(needed(plan, limit), limit.bound.available);
         });
}

std::uint64_t host_room(const MemoryPlan& plan, const MemoryLimits& limits) {
  const MemoryBound* host = limits.host.tightest();
  if (host == nullptr) return ~std::uint64_t{0};
  std::uint64_t room = 0;  // the largest sum that fits, by halving steps
  const std::uint64_t need = plan.host_bytes();
  for (std::uint64_t step = std::uint64_t{1} << 62; step > 0; step /= 2) {
    if (step <= host->available && within(need + room + step, host->available)) room += step;
  }
  return room;
}

std::string shortage(const MemoryPlan& plan, const MemoryLimits& limits) {
  const MemoryBound* host = limits.host.tightest();
  if (host != nullptr && !within(plan.host_bytes(), host->available)) {
    return shortage_text("the model", plan.host_bytes(), "host", parts(plan), *host);
  }
  for (const MemoryLimits::Device& limit : limits.devices) {
    const std::uint64_t need = needed(plan, limit);
    if (within(need, limit.bound.available)) continue;
    const DeviceMemory sum = held(plan, limit);
    const bool is_all = plan.devices.size() == 1;
    return shortage_text(is_all ? "the model" : sum.share + " on " + sum.device, need, "device",
                         is_all ? parts(plan) : kv_and_weights(plan, sum), limit.bound);
  }
  return "the model fits";
}

std::string memory_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  const double mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  return mib < 1024 ? fixed(mib, mib < 10 ? 2 : 1) + " MiB" : fixed(mib / 1024, 2) + " GiB";
}

}  // namespace ds4
