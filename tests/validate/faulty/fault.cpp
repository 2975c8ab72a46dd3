#include "fault.hpp"

#include <utility>

namespace ds4::reference {
namespace {

constexpr std::pair<std::string_view, Fault> kNames[] = {
    {"none", Fault::none},
    {"transpose", Fault::transpose},
    {"ring_off_by_one", Fault::ring_off_by_one},
    {"no_inverse_rope", Fault::no_inverse_rope},
    {"unstable_topk", Fault::unstable_topk},
    {"writes_past_end", Fault::writes_past_end},
    {"allocates", Fault::allocates},
    {"graph_constants", Fault::graph_constants},
    {"ignores_eps", Fault::ignores_eps},
    {"reads_workspace", Fault::reads_workspace},
    {"modifies_input", Fault::modifies_input},
    {"wrong_code", Fault::wrong_code},
    {"takes_unknown_flags", Fault::takes_unknown_flags},
    {"takes_half_imports", Fault::takes_half_imports},
    {"leaks_memory", Fault::leaks_memory},
    {"leaks_descriptor", Fault::leaks_descriptor},
    {"leaks_thread", Fault::leaks_thread},
    {"closes_early", Fault::closes_early},
    {"unordered_sum", Fault::unordered_sum},
    {"row_dependence", Fault::row_dependence},
    {"fp_control", Fault::fp_control},
    {"changes_directory", Fault::changes_directory},
    {"false_capability", Fault::false_capability},
    {"inf_rows", Fault::inf_rows},
    {"clamps_gate", Fault::clamps_gate},
    {"drops_sinks", Fault::drops_sinks},
    {"e4m3_ties", Fault::e4m3_ties},
    {"padding_rows", Fault::padding_rows},
    {"nibble_order", Fault::nibble_order},
    {"crashes", Fault::crashes},
};

}  // namespace

bool plant(std::string_view name) noexcept {
  for (const auto& [known, which] : kNames) {
    if (known != name) continue;
    active_fault = which;
    return true;
  }
  return false;
}

}  // namespace ds4::reference
