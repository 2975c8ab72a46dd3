// Streams, events, and memory that the caller reuses at once.
#include "validate/process.hpp"
#include "validate/session.hpp"
#include "validate/small_op.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;

/// Runs `check` with a small op of the session's backend.
template <class Check>
void with_op(Session& session, const std::string& subject, Check check) {
  Checklist list("async", subject);
  auto op = SmallOp::make(session.backend());
  list.expect(op.ok(), op ? "" : op.error().what);
  if (op) check(list, session.backend(), **op);
  session.report().add(list.row(session));
}

void two_streams(Session& session) {
  with_op(session, "two streams", [](Checklist& list, Backend& backend, SmallOp& first) {
    const ds4_backend_api& api = backend.api();
    auto second = SmallOp::make(backend);
    list.expect(second.ok(), second ? "" : second.error().what);
    ds4_stream* stream = nullptr;
    list.expect_status(api.stream_create(backend.device(), &stream, nullptr), DS4_OK,
                       "stream_create");
    if (!list.ok()) return;
    for (int i = 0; i < 20 && list.ok(); ++i) {
      list.expect(first.clear());
      list.expect((*second)->clear());
      list.expect_status(first.enqueue(backend.stream(), &first.op().op, nullptr), DS4_OK,
                         "enqueue on the first stream");
      list.expect_status((*second)->enqueue(stream, &(*second)->op().op, nullptr), DS4_OK,
                         "enqueue on the second stream");
      list.expect(first.check());
      list.expect((*second)->check());
    }
    api.stream_destroy(stream);
  });
}

void reused_descriptors(Session& session) {
  // run() overwrites descriptors and the list of them as soon as enqueue returns.
  with_op(session, "reused descriptors", [](Checklist& list, Backend&, SmallOp& op) {
    for (int i = 0; i < 20; ++i) list.expect(op.run());
  });
}

void stream_order(Session& session) {
  with_op(session, "copies in order", [](Checklist& list, Backend& backend, SmallOp& op) {
    const ds4_backend_api& api = backend.api();
    ds4_buffer* target = nullptr;
    constexpr std::uint64_t kBytes = SmallOp::kRows * SmallOp::kOut * sizeof(float);
    list.expect_status(api.buffer_create(backend.device(), kBytes, backend.info().memory[0].kind,
                                         DS4_USAGE_ACTIVATION, &target, nullptr),
                       DS4_OK, "buffer_create");
    if (target == nullptr) return;
    list.expect(op.run());
    // The result leaves y, y is overwritten, and comes back: in this order.
    ds4_stream* const s = backend.stream();
    list.expect_status(api.buffer_copy(s, target, 0, op.y(), 0, kBytes, nullptr), DS4_OK, "copy");
    list.expect_status(api.buffer_fill(s, op.y(), 0, kBytes, 0xFF, nullptr), DS4_OK, "fill");
    list.expect_status(api.buffer_copy(s, op.y(), 0, target, 0, kBytes, nullptr), DS4_OK,
                       "copy back");
    list.expect_status(api.stream_sync(s, nullptr), DS4_OK, "stream_sync");
    list.expect(op.check());
    api.buffer_destroy(target);
  });
}

void events(Session& session) {
  Backend& backend = session.backend();
  if (!backend.has(DS4_CAP_EVENTS)) {
    Row row;
    row.stage = "async";
    row.subject = "events";
    row.state = State::skipped;
    row.detail = "the device does not promise EVENTS";
    session.report().add(std::move(row));
    return;
  }
  with_op(session, "events", [](Checklist& list, Backend& b, SmallOp& op) {
    const ds4_backend_api& api = b.api();
    const bool is_there = DS4_HAS(ds4_backend_api, &api, event_create) &&
                          DS4_HAS(ds4_backend_api, &api, event_destroy) &&
                          DS4_HAS(ds4_backend_api, &api, event_record) &&
                          DS4_HAS(ds4_backend_api, &api, event_query) &&
                          DS4_HAS(ds4_backend_api, &api, event_wait_host) &&
                          DS4_HAS(ds4_backend_api, &api, event_wait_stream);
    list.expect(is_there, "EVENTS is promised, but not all event functions are there");
    if (!is_there) return;
    ds4_event* event = nullptr;
    ds4_stream* other = nullptr;
    list.expect_status(api.event_create(b.device(), &event, nullptr), DS4_OK, "event_create");
    list.expect_status(api.stream_create(b.device(), &other, nullptr), DS4_OK, "stream_create");
    if (!list.ok()) return;
    list.expect(op.clear());
    const ds4_op* one[] = {&op.op().op};
    list.expect(b.run(one, op.step()));
    list.expect_status(api.event_record(event, b.stream(), nullptr), DS4_OK, "event_record");
    list.expect_status(api.event_wait_stream(event, other, nullptr), DS4_OK, "event_wait_stream");
    list.expect_status(api.stream_sync(other, nullptr), DS4_OK, "stream_sync");
    list.expect_status(api.event_wait_host(event, nullptr), DS4_OK, "event_wait_host");
    list.expect_status(api.event_query(event, nullptr), DS4_OK, "event_query after the wait");
    list.expect(op.check());
    api.stream_destroy(other);
    api.event_destroy(event);
  });
}

void given_up_import(Session& session) {
  with_op(session, "imports given up", [](Checklist& list, Backend& backend, SmallOp& op) {
    const ds4_backend_api& api = backend.api();
    const ds4_weight_desc desc = SmallOp::weight_desc();
    const std::vector<float> values = SmallOp::weight_values();
    const std::uint64_t before = backend.host_memory().live;
    for (int i = 0; i < 10; ++i) {
      ds4_import* import = nullptr;
      list.expect_status(api.weight_import_begin(backend.device(), &desc, 0, &import, nullptr),
                         DS4_OK, "weight_import_begin");
      if (import == nullptr) return;
      list.expect_status(api.weight_import_write(import, 0, values.data(), desc.bytes / 2, nullptr),
                         DS4_OK, "weight_import_write");
      api.weight_import_abort(import);
    }
    const std::uint64_t after = backend.host_memory().live;
    list.expect(after <= before, "an import that is given up keeps memory of the host");
    list.expect(op.run());
  });
}

}  // namespace

void run_async(Session& session) {
  two_streams(session);
  reused_descriptors(session);
  stream_order(session);
  events(session);
  given_up_import(session);
  run_cancelled_imports(session);
}

}  // namespace ds4::validate
