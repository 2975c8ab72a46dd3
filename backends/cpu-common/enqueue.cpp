/// Checks every op, then runs them in order: one region of the host's team for a whole submission.
///
/// An op whose work is below a threshold runs on thread 0 while the others go on to the next large
/// one, so a barrier costs only where work was shared. Partitions go over independent results;
/// who computes a value never changes how it is summed.
#include <algorithm>
#include <array>
#include <cstring>

#include "api.hpp"
#include "chosen_experts.hpp"
#include "context.hpp"
#include "personality.hpp"

namespace ds4::cpu {
namespace {

/// Position in the list of ops by id, so that a step of many small ops does not search.
constexpr auto kPositions = [] {
  std::array<std::uint8_t, 128> positions{};
  for (std::uint32_t id = 0; id < positions.size(); ++id) {
    positions[id] = static_cast<std::uint8_t>(sdk::op_index(id));
  }
  return positions;
}();

/// The entry of a known op (sdk::find_op gives one for its id).
const OpEntry& op_entry(std::uint32_t id) noexcept {
  return *personality().ops[kPositions[id & 127u]];
}

std::uint32_t team_size(const ds4_host_api& host) noexcept {
  const bool has_team = DS4_HAS(ds4_host_api, &host, team_run) &&
                        DS4_HAS(ds4_host_api, &host, team_barrier) &&
                        DS4_HAS(ds4_host_api, &host, team_size);
  return has_team ? std::max(1u, host.team_size(host.host_ctx)) : 1;
}

/// The op's entry after the checks that need no view: pointer, id, size, flags.
const OpEntry& entry_of(const ds4_op* op, std::uint32_t index) {
  if (op == nullptr) throw sdk::failure(DS4_E_INVALID_ARGUMENT, "op ", index, " is null");
  if (op->struct_size < sizeof(ds4_op)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "op ", index, ": struct_size ", op->struct_size,
                       " is below the header's ", sizeof(ds4_op));
  }
  const sdk::OpInfo* info = sdk::find_op(op->id);
  if (info == nullptr) {
    throw sdk::failure(DS4_E_UNSUPPORTED, "op ", index, ": unknown op id ", op->id).at_op(*op);
  }
  if (op->struct_size != info->bytes) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, info->name, ": struct_size ", op->struct_size,
                       " where ", info->bytes, " is needed")
        .at_op(*op);
  }
  if ((op->flags & ~info->flags) != 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, info->name, ": flags: unknown bits in ", op->flags)
        .at_op(*op);
  }
  return op_entry(op->id);
}

const ds4_range& range_of(const ds4_op& op) noexcept {
  // Every descriptor goes on with its range right behind the header.
  return reinterpret_cast<const ds4_op_fill&>(op).rows;
}

struct Scratch {
  std::uint64_t shared = 0;
  std::uint64_t local = 0;
};

Scratch scratch_of(const OpEntry& entry, const ds4_op& op) noexcept {
  if (entry.scratch == nullptr) return {};
  Arena shared;
  Arena local;
  entry.scratch(shared, local, &op);
  return {shared.used(), local.used()};
}

std::uint64_t total(const Scratch& s, std::uint32_t threads) noexcept {
  return sdk::sat_add(s.shared, sdk::sat_mul(s.local, threads));
}

/// One submission while it runs; lives on the caller's stack.
struct Region {
  std::array<std::int32_t, DS4_STEP_HEADER_WORDS> header;
  const ds4_submission& submission;
  const ds4_host_api& host;
  const std::int32_t* step;
  std::uint64_t step_words;
  std::byte* workspace;
  std::uint32_t most_threads;
  Fault fault;
};

bool is_shared(const OpEntry& entry, const ds4_op& op, std::uint32_t rows) noexcept {
  return entry.work(&op, rows) >= personality().shared_work;
}

void run_op(Region& region, std::uint32_t index, const OpEntry& entry, const ds4_op& op,
            const sdk::RowRange& rows, std::uint32_t thread, std::uint32_t threads) noexcept {
  const Scratch scratch = scratch_of(entry, op);
  std::byte* local = region.workspace + scratch.shared + thread * scratch.local;
  Context context(region.host, region.fault, op, index, thread, threads, Arena(region.workspace),
                  Arena(local));
  entry.run(context, &op, rows);
}

/// What each thread of the region does. All threads decide alike: ranges come from the step block,
/// and a fault of an earlier op is looked at only behind a barrier.
void run_all(Region& region, std::uint32_t thread, std::uint32_t threads) noexcept {
  const auto has_failed = [&](std::uint32_t index) { return region.fault.op.load() < index; };
  const std::uint32_t workers = std::min(threads, region.most_threads);
  const auto announce = [&](std::uint32_t index) {
    if (thread != 0 || has_failed(index + 1)) return;
    announce_experts(region.host, region.submission, index, region.step, region.step_words);
  };
  bool others_wait = false;  // thread 0 has run ops that the others have not waited for
  for (std::uint32_t i = 0; i < region.submission.count; ++i) {
    const ds4_op& op = *region.submission.ops[i];
    const OpEntry& entry = op_entry(op.id);
    const sdk::RowRange rows = sdk::resolve_range(range_of(op), region.step, region.step_words);
    if (rows.count == 0) continue;
    if (workers == 1 || !is_shared(entry, op, rows.count)) {
      if (thread == 0 && !has_failed(i)) run_op(region, i, entry, op, rows, 0, 1);
      announce(i);
      others_wait = true;
      continue;
    }
    if (others_wait) region.host.team_barrier(region.host.host_ctx);
    others_wait = false;
    if (has_failed(i)) return;
    if (workers != threads) {
      // More threads came than the workspace was sized for: thread 0 works alone.
      if (thread == 0) run_op(region, i, entry, op, rows, 0, 1);
    } else {
      run_op(region, i, entry, op, rows, thread, threads);
    }
    region.host.team_barrier(region.host.host_ctx);
    announce(i);
  }
}

/// The step block's words; an absent block has none.
void resolve_step(const ds4_device& device, const ds4_view& view, Region& region) {
  if (sdk::is_absent(view)) return;
  if (view.buffer->device != &device || view.dtype != DS4_DTYPE_I32 || view.rank != 1 ||
      view.offset % 4 != 0 || view.stride[0] != 4) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "step: no contiguous [words] of I32 on this device");
  }
  if (!sdk::view_fits(view, view.buffer->bytes)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "step: goes beyond a buffer of ", view.buffer->bytes,
                       " bytes");
  }
  // Ranges name words of the header only. They are resolved twice, for the checks and for the run;
  // a copy makes sure that both see the same words, whatever memory the caller handed out.
  region.step_words = std::min(view.extent[0], DS4_STEP_HEADER_WORDS);
  std::memcpy(region.header.data(), view.buffer->data + view.offset, region.step_words * 4);
  region.step = region.header.data();
}

void resolve_workspace(const ds4_device& device, const ds4_view& view, std::uint64_t needed,
                       Region& region) {
  if (needed == 0) return;
  if (sdk::is_absent(view)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "workspace is absent, ", needed,
                       " bytes are needed");
  }
  const std::uint64_t bytes = sdk::view_hull(view);
  if (view.buffer->device != &device || view.offset % kAlignment != 0 ||
      !sdk::view_fits(view, view.buffer->bytes)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT,
                       "workspace: not 64-byte aligned memory of this device within its buffer");
  }
  if (bytes < needed) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "workspace: ", bytes, " bytes where ", needed,
                       " are needed");
  }
  region.workspace = view.buffer->data + view.offset;
}

}  // namespace

ds4_status op_support(ds4_device* device, const ds4_op* op, ds4_op_support* out, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& d = sdk::need(device, "device");
    ds4_op_support& answer = sdk::need_struct(out, "op support");
    answer.level = DS4_SUPPORT_NO;
    sdk::copy_text(answer.reason, "");
    try {
      const OpEntry& entry = entry_of(op, 0);
      if (d.composes && sdk::is_tier_two(op->id)) {
        sdk::copy_text(answer.reason,
                       sdk::Message("option ", personality().name, ".compose is on").view());
        return;
      }
      Check check(d, *op, Asking::support, {});
      entry.check(check, op);
      answer.level = DS4_SUPPORT_NATIVE;
    } catch (const sdk::failure& f) {
      if (op == nullptr) throw;
      sdk::copy_text(answer.reason, f.what());
    }
  });
}

ds4_status workspace_size(ds4_device* device, const ds4_op* const* ops, std::uint32_t count,
                          std::uint64_t* bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& d = sdk::need(device, "device");
    std::uint64_t& result = sdk::need(bytes, "bytes");
    const std::uint32_t threads = team_size(*d.host);
    std::uint64_t most = 0;
    if (count != 0) sdk::need(ops, "ops");
    for (std::uint32_t i = 0; i < count; ++i) {
      const OpEntry& entry = entry_of(ops[i], i);
      Check check(d, *ops[i], Asking::support, {});
      entry.check(check, ops[i]);
      most = std::max(most, total(scratch_of(entry, *ops[i]), threads));
    }
    if (most == sdk::kTooLarge) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "workspace: the extents are beyond any memory");
    }
    result = most;
  });
}

ds4_status enqueue(ds4_stream* stream, const ds4_submission* submission, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& device = *sdk::need(stream, "stream").device;
    const ds4_submission& s = sdk::need_struct(submission, "submission");
    if (s.count != 0) sdk::need(s.ops, "ops");
    Region region{{}, s, *device.host, nullptr, 0, nullptr, team_size(*device.host), {}};
    resolve_step(device, s.step, region);

    std::uint64_t needed = 0;
    bool has_shared = false;
    for (std::uint32_t i = 0; i < s.count; ++i) {
      const OpEntry& entry = entry_of(s.ops[i], i);
      const ds4_op& op = *s.ops[i];
      sdk::RowRange rows;
      try {
        rows = sdk::resolve_range(range_of(op), region.step, region.step_words);
      } catch (const sdk::failure& f) {
        throw sdk::failure(f.code(), sdk::op_name(op.id), ": ", f.what()).at_op(op);
      }
      Check check(device, op, Asking::enqueue, rows);
      entry.check(check, &op);
      check.overlaps();
      check.spares_header(s.step);
      check.spares_workspace(s.workspace);
      if (rows.count == 0) continue;
      needed = std::max(needed, total(scratch_of(entry, op), region.most_threads));
      has_shared = has_shared || is_shared(entry, op, rows.count);
    }
    resolve_workspace(device, s.workspace, needed, region);

    if (has_shared && region.most_threads > 1) {
      region.host.team_run(
          region.host.host_ctx,
          [](void* arg, std::uint32_t thread, std::uint32_t threads) {
            run_all(*static_cast<Region*>(arg), thread, threads);
          },
          &region);
    } else {
      region.most_threads = 1;
      run_all(region, 0, 1);
    }
    for (std::uint32_t i = 0; i < s.count; ++i) ++device.calls_by_op[s.ops[i]->id];
    device.ops_run += s.count;
    if (region.fault.is_taken.test()) {
      sdk::fill_error(err, region.fault.code, region.fault.text.view(), region.fault.id,
                      region.fault.tag);
      return region.fault.code;
    }
    return DS4_OK;
  });
}

}  // namespace ds4::cpu
