#include "streamed_experts.hpp"

namespace ds4::cpu {
namespace {

bool is_streamed(const ds4_op_moe_routed& op) noexcept {
  return op.gate != nullptr && op.gate->is_streamed;
}

ds4_weight with_data(const ds4_weight& weight, const void* data, std::uint64_t offset) noexcept {
  ds4_weight out = weight;
  out.data = static_cast<const std::byte*>(data) + offset;
  return out;
}

}  // namespace

StreamedExperts::StreamedExperts(Arena& shared, Arena& local, const ds4_op_moe_routed& op) noexcept
    : most_(width_of(op.ids)),
      views_(shared.take<ds4_expert_view>(is_streamed(op) ? most_ : 0)),
      state_(shared.take<State>(is_streamed(op) ? 1 : 0)),
      ids_(local.take<std::int32_t>(is_streamed(op) ? 2 : 0, most_)) {}

StreamedExpert StreamedExperts::expert(const ds4_op_moe_routed& op,
                                       std::uint32_t i) const noexcept {
  const ds4_expert_view& view = views_[i];
  return {static_cast<std::uint32_t>(current_[i]), with_data(*op.gate, view.gate_up, 0),
          with_data(*op.up, view.gate_up, op.gate->expert_bytes()),
          with_data(*op.down, view.down, 0)};
}

bool StreamedExperts::acquire(Context& c, const ds4_op_moe_routed& op, const std::int32_t* ids,
                              std::uint32_t count) const noexcept {
  const ds4_host_api& host = c.host();
  ds4_error record{};
  record.struct_size = sizeof record;
  const ds4_status status = host.experts_acquire(host.host_ctx, op.gate->layer, ids, count, views_,
                                                 &state_->ticket, &record);
  if (status != DS4_OK) {
    c.note(status, record.text);
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const ds4_expert_view& view = views_[i];
    if (view.memory_kind == DS4_MEMORY_HOST &&
        view.gate_up_bytes == op.gate->expert_bytes() + op.up->expert_bytes() &&
        view.down_bytes == op.down->expert_bytes()) {
      continue;
    }
    c.note(DS4_E_INVALID_ARGUMENT, "expert ", ids[i], " came with ", view.gate_up_bytes, " and ",
           view.down_bytes, " bytes of memory kind ", view.memory_kind);
    release(c);
    return false;
  }
  return true;
}

void StreamedExperts::prefetch(const Context& c, const ds4_op_moe_routed& op,
                               const std::int32_t* ids, std::uint32_t count) noexcept {
  const ds4_host_api& host = c.host();
  if (count == 0 || !DS4_HAS(ds4_host_api, &host, experts_prefetch)) return;
  host.experts_prefetch(host.host_ctx, op.gate->layer, ids, count);
}

void StreamedExperts::release(const Context& c) const noexcept {
  c.host().experts_release(c.host().host_ctx, state_->ticket);
}

}  // namespace ds4::cpu
