/// The planted fault that is switched on, if any: option faulty.fault=NAME (or faulty=none).
#pragma once

#include <atomic>
#include <string_view>

namespace ds4::cpu {

enum class Planted : int {
  none,
  transpose,
  ring_off_by_one,
  no_inverse_rope,
  unstable_topk,
  writes_past_end,
  allocates,
  graph_constants,
  ignores_eps,
  reads_workspace,
  modifies_input,
  wrong_code,
  takes_unknown_flags,
  takes_half_imports,
  leaks_memory,
  leaks_descriptor,
  leaks_thread,
  closes_early,
  unordered_sum,
  row_dependence,
  fp_control,
  changes_directory,
  false_capability,
  inf_rows,
  clamps_gate,
  drops_sinks,
  e4m3_ties,
  padding_rows,
  nibble_order,
  crashes,
  // Of these a shadow is asked, not ds4-validate.
  coarse_router,
  blind_router,
  lacks_page_rows,
  strays,
  writes_past_structs,
  refuses_newer_structs,
  cancels,
  swallows_cancel,
  int8,
  int8_six_bits,
  int8_wrong_scale,
  int8_plain_weights,
  int8_router,
  int8_unannounced,
  int8_k_bits,  // of weights in blocks of 256 values
  // No fault: a device that does not take a type for one role.
  lacks_q2_k_down,
};

inline std::atomic<Planted> active_planted{Planted::none};

inline bool planted(Planted which) noexcept {
  return active_planted.load(std::memory_order_relaxed) == which;
}

/// Whether the device promises INT8_ACTIVATIONS.
inline bool announces_int8() noexcept {
  return planted(Planted::int8) || planted(Planted::int8_six_bits) ||
         planted(Planted::int8_wrong_scale) || planted(Planted::int8_plain_weights) ||
         planted(Planted::int8_router) || planted(Planted::int8_k_bits);
}

/// Switches a fault on by name; false when there is none of that name.
bool plant(std::string_view name) noexcept;

}  // namespace ds4::cpu
