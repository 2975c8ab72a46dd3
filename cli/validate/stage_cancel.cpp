// Part of async: imports that are given up in the middle, by the caller and by the host's
// should_cancel.
#include <algorithm>
#include <string>

#include "validate/session.hpp"
#include "validate/small_op.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;

constexpr std::uint32_t kRows = 2048;
constexpr std::uint32_t kWidth = 1024;
constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;

/// 8 MiB: long enough that a copy is still under way when the next call comes.
ds4_weight_desc large_desc() {
  ds4_weight_desc desc = SmallOp::weight_desc();
  desc.extent[0] = kRows;
  desc.extent[1] = kWidth;
  desc.bytes = std::uint64_t{kRows} * kWidth * sizeof(float);
  return desc;
}

/// Imports a large weight chunk by chunk, overwriting each chunk behind its write. Gives the first
/// status that is not OK; an import that reaches its end is finished.
ds4_status import_large(Backend& backend, ds4_weight** weight) {
  const ds4_backend_api& api = backend.api();
  const ds4_weight_desc desc = large_desc();
  ds4_import* import = nullptr;
  const ds4_status begun = api.weight_import_begin(backend.device(), &desc, 0, &import, nullptr);
  if (begun != DS4_OK) return begun;
  std::vector<float> chunk(kChunk / sizeof(float));
  for (std::uint64_t at = 0; at < desc.bytes; at += kChunk) {
    std::fill(chunk.begin(), chunk.end(), 0.5F);
    const ds4_status written = api.weight_import_write(import, at, chunk.data(), kChunk, nullptr);
    std::fill(chunk.begin(), chunk.end(), -7.0F);
    if (written == DS4_OK) continue;
    api.weight_import_abort(import);
    return written;
  }
  return api.weight_import_finish(import, weight, nullptr);
}

/// The caller gives up while the copy of what it wrote, and an op behind it, may be under way.
void abort_in_flight(Session& session) {
  Checklist list("async", "imports given up in flight");
  Backend& backend = session.backend();
  const ds4_backend_api& api = backend.api();
  auto op = SmallOp::make(backend);
  list.expect(op.ok(), op ? "" : op.error().what);
  const std::uint64_t before = backend.host_memory().live;
  const ds4_weight_desc desc = large_desc();
  for (int i = 0; i < 4 && list.ok(); ++i) {
    std::vector<float> values(desc.bytes / 2 / sizeof(float), 0.25F);
    ds4_import* import = nullptr;
    list.expect_status(api.weight_import_begin(backend.device(), &desc, 0, &import, nullptr),
                       DS4_OK, "weight_import_begin");
    if (import == nullptr) break;
    list.expect((*op)->clear());
    list.expect_status(api.weight_import_write(import, 0, values.data(), desc.bytes / 2, nullptr),
                       DS4_OK, "weight_import_write");
    const ds4_op* one[] = {&(*op)->op().op};
    api.weight_import_abort(import);      // nothing has waited for the write
    values.assign(values.size(), -3.0F);  // what was read from here must have been read
    list.expect(backend.run(one, (*op)->step()));
    list.expect((*op)->check());
  }
  list.expect(backend.host_memory().live <= before,
              "an import that is given up keeps memory of the host");
  session.report().add(list.row(session));
}

/// The host answers yes to the k-th question of should_cancel. A backend that asks must give up
/// with CANCELLED; one that never asks finishes, which is legal for imports as short as these.
void cancelled_by_host(Session& session) {
  Checklist list("async", "imports the host cancels");
  Backend& backend = session.backend();
  auto op = SmallOp::make(backend);
  list.expect(op.ok(), op ? "" : op.error().what);
  const std::uint64_t before = backend.host_memory().live;
  bool has_asked = false;
  for (std::uint64_t k = 1; k <= 4 && list.ok(); ++k) {
    const std::uint64_t told_at = backend.host_memory().polls + k;
    backend.host_memory().cancel_at = told_at;
    ds4_weight* weight = nullptr;
    const ds4_status got = import_large(backend, &weight);
    const bool was_told = backend.host_memory().polls >= told_at;
    backend.host_memory().cancel_at = 0;
    has_asked = has_asked || was_told;
    list.expect_status(got, was_told ? DS4_E_CANCELLED : DS4_OK,
                       "an import that the host cancels at question " + std::to_string(k));
    if (weight != nullptr) backend.destroy_weight(weight);
    list.expect(backend.host_memory().live <= before,
                "a cancelled import keeps memory of the host");
    list.expect((*op)->run());
  }
  // The device takes the next import.
  ds4_weight* weight = nullptr;
  list.expect_status(import_large(backend, &weight), DS4_OK, "an import after cancelled ones");
  if (weight != nullptr) backend.destroy_weight(weight);
  Row row = list.row(session);
  if (row.state == State::ok && !has_asked) {
    row.state = State::skipped;
    row.detail = "the backend does not ask should_cancel during an import of 8 MiB";
  }
  session.report().add(std::move(row));
}

}  // namespace

void run_cancelled_imports(Session& session) {
  abort_in_flight(session);
  cancelled_by_host(session);
}

}  // namespace ds4::validate
