#include "fault.hpp"

#include <utility>

namespace ds4::cpu {
namespace {

constexpr std::pair<std::string_view, Planted> kNames[] = {
    {"none", Planted::none},
    {"transpose", Planted::transpose},
    {"ring_off_by_one", Planted::ring_off_by_one},
    {"no_inverse_rope", Planted::no_inverse_rope},
    {"unstable_topk", Planted::unstable_topk},
    {"writes_past_end", Planted::writes_past_end},
    {"allocates", Planted::allocates},
    {"graph_constants", Planted::graph_constants},
    {"ignores_eps", Planted::ignores_eps},
    {"reads_workspace", Planted::reads_workspace},
    {"modifies_input", Planted::modifies_input},
    {"wrong_code", Planted::wrong_code},
    {"takes_unknown_flags", Planted::takes_unknown_flags},
    {"takes_half_imports", Planted::takes_half_imports},
    {"leaks_memory", Planted::leaks_memory},
    {"leaks_descriptor", Planted::leaks_descriptor},
    {"leaks_thread", Planted::leaks_thread},
    {"closes_early", Planted::closes_early},
    {"unordered_sum", Planted::unordered_sum},
    {"row_dependence", Planted::row_dependence},
    {"fp_control", Planted::fp_control},
    {"changes_directory", Planted::changes_directory},
    {"false_capability", Planted::false_capability},
    {"inf_rows", Planted::inf_rows},
    {"clamps_gate", Planted::clamps_gate},
    {"drops_sinks", Planted::drops_sinks},
    {"e4m3_ties", Planted::e4m3_ties},
    {"padding_rows", Planted::padding_rows},
    {"nibble_order", Planted::nibble_order},
    {"crashes", Planted::crashes},
    {"coarse_router", Planted::coarse_router},
    {"blind_router", Planted::blind_router},
    {"lacks_page_rows", Planted::lacks_page_rows},
    {"strays", Planted::strays},
    {"writes_past_structs", Planted::writes_past_structs},
    {"refuses_newer_structs", Planted::refuses_newer_structs},
    {"cancels", Planted::cancels},
    {"swallows_cancel", Planted::swallows_cancel},
    {"int8", Planted::int8},
    {"int8_six_bits", Planted::int8_six_bits},
    {"int8_wrong_scale", Planted::int8_wrong_scale},
    {"int8_plain_weights", Planted::int8_plain_weights},
    {"int8_router", Planted::int8_router},
    {"int8_k_bits", Planted::int8_k_bits},
    {"lacks_q2_k_down", Planted::lacks_q2_k_down},
    {"int8_unannounced", Planted::int8_unannounced},
};

}  // namespace

bool plant(std::string_view name) noexcept {
  for (const auto& [known, which] : kNames) {
    if (known != name) continue;
    active_planted = which;
    return true;
  }
  return false;
}

}  // namespace ds4::cpu
