// Wrong calls: each must give the right code, and a correct op must still work afterwards.
#include <limits>

#include "tests/conformance/cases.hpp"
#include "validate/session.hpp"
#include "validate/small_op.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;

/// Expectations about wrong calls; a correct op runs after each of them.
class Wrong {
 public:
  Wrong(Session& session, const std::string& subject)
      : session_(session), list_("errors", subject) {
    auto op = SmallOp::make(session.backend());
    list_.expect(op.ok(), op ? "" : op.error().what);
    if (op) op_ = *std::move(op);
  }
  ~Wrong() { session_.report().add(list_.row(session_)); }
  Wrong(const Wrong&) = delete;
  Wrong& operator=(const Wrong&) = delete;

  [[nodiscard]] bool is_ready() const { return op_ != nullptr; }
  [[nodiscard]] SmallOp& op() { return *op_; }
  [[nodiscard]] Backend& backend() { return session_.backend(); }
  [[nodiscard]] const ds4_backend_api& api() { return session_.backend().api(); }
  Checklist& list() { return list_; }

  /// A call with its status: it must be `wanted`, and say so in its error.
  void gives(ds4_status wanted, const std::string& call, ds4_status got, const ds4_error& error) {
    list_.expect_status(got, wanted, call);
    if (got != DS4_OK) {
      list_.expect(error.code == got, call + " fills its error with code " +
                                          std::to_string(error.code) + " and gives " +
                                          std::to_string(got));
      list_.expect(error.text[0] != '\0', call + " fails without a text");
    }
    const Result<void> after = op_->run();
    list_.expect(after.ok(), after ? "" : "after " + call + ": " + after.error().what);
  }

  template <class Change>
  void op_gives(ds4_status wanted, const std::string& what, Change change) {
    ds4_op_matmul op = op_->op();
    change(op);
    ds4_error error = blank_error();
    const ds4_status got = op_->enqueue(backend().stream(), &op.op, &error);
    gives(wanted, "enqueue with " + what, got, error);
  }

 private:
  Session& session_;
  Checklist list_;
  std::unique_ptr<SmallOp> op_;
};

void wrong_ops(Session& session) {
  Wrong wrong(session, "descriptors");
  if (!wrong.is_ready()) return;
  const ds4_status invalid = DS4_E_INVALID_ARGUMENT;
  wrong.op_gives(DS4_E_UNSUPPORTED, "an unknown op id", [](auto& op) { op.op.id = 9999; });
  wrong.op_gives(DS4_E_UNSUPPORTED, "an unknown flag", [](auto& op) { op.op.flags = 1U << 30; });
  wrong.op_gives(invalid, "a struct_size that is too small",
                 [](auto& op) { op.op.struct_size -= 8; });
  wrong.op_gives(invalid, "a width that is not the weight's",
                 [](auto& op) { op.x.extent[1] -= 1; });
  wrong.op_gives(invalid, "an output that is too narrow", [](auto& op) { op.y.extent[1] -= 1; });
  wrong.op_gives(invalid, "a view that goes beyond its buffer", [](auto& op) { op.y.offset = 64; });
  wrong.op_gives(invalid, "an offset that overflows",
                 [](auto& op) { op.y.offset = ~std::uint64_t{63}; });
  wrong.op_gives(invalid, "a stride that overflows",
                 [](auto& op) { op.x.stride[0] = std::uint64_t{1} << 62; });
  wrong.op_gives(invalid, "an output that lies on the input",
                 [&](auto& op) { op.y.buffer = op.x.buffer; });
  wrong.op_gives(invalid, "no weight", [](auto& op) { op.weight = nullptr; });
  wrong.op_gives(invalid, "no output", [](auto& op) { op.y = ds4_view{}; });
  wrong.op_gives(invalid, "more rows than the views have", [](auto& op) {
    op.rows = {1000, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  });
  wrong.op_gives(invalid, "a rank that does not fit", [](auto& op) { op.x.rank = 7; });

  ds4_error error = blank_error();
  ds4_status got = wrong.op().enqueue(nullptr, &wrong.op().op().op, &error);
  wrong.gives(invalid, "enqueue without a stream", got, error);
  error = blank_error();
  got = wrong.op().enqueue(wrong.backend().stream(), nullptr, &error);
  wrong.gives(invalid, "enqueue of a null op", got, error);
  error = blank_error();
  got = wrong.api().enqueue(wrong.backend().stream(), nullptr, &error);
  wrong.gives(invalid, "enqueue without a submission", got, error);
}

void wrong_buffers(Session& session) {
  Wrong wrong(session, "buffers");
  if (!wrong.is_ready()) return;
  const ds4_backend_api& api = wrong.api();
  ds4_stream* const stream = wrong.backend().stream();
  ds4_buffer* const x = wrong.op().y();
  std::vector<std::byte> bytes(16);
  constexpr std::uint64_t kFar = std::numeric_limits<std::uint64_t>::max() - 7;
  ds4_error error = blank_error();
  const auto invalid = [&](const std::string& call, ds4_status got) {
    wrong.gives(DS4_E_INVALID_ARGUMENT, call, got, error);
    error = blank_error();
  };
  invalid("buffer_write beyond the end",
          api.buffer_write(stream, x, 1 << 20, bytes.data(), 16, &error));
  invalid("buffer_write that overflows",
          api.buffer_write(stream, x, kFar, bytes.data(), 16, &error));
  invalid("buffer_read beyond the end",
          api.buffer_read(stream, x, 1 << 20, bytes.data(), 16, &error));
  invalid("buffer_write to null", api.buffer_write(stream, nullptr, 0, bytes.data(), 16, &error));
  invalid("buffer_fill beyond the end", api.buffer_fill(stream, x, 8, kFar, 0, &error));
  invalid("buffer_copy beyond the end", api.buffer_copy(stream, x, 0, x, 1 << 20, 16, &error));
  invalid("buffer_create without out",
          api.buffer_create(wrong.backend().device(), 16, wrong.backend().info().memory[0].kind,
                            DS4_USAGE_ACTIVATION, nullptr, &error));
  ds4_buffer* made = nullptr;
  const ds4_status kind =
      api.buffer_create(wrong.backend().device(), 16, 77, DS4_USAGE_ACTIVATION, &made, &error);
  wrong.list().expect(kind == DS4_E_INVALID_ARGUMENT || kind == DS4_E_UNSUPPORTED,
                      "buffer_create of memory kind 77 gives status " + std::to_string(kind));
  if (kind == DS4_OK) api.buffer_destroy(made);
}

void wrong_weights(Session& session) {
  Wrong wrong(session, "weights");
  if (!wrong.is_ready()) return;
  const ds4_backend_api& api = wrong.api();
  const std::vector<float> values = SmallOp::weight_values();
  ds4_weight_desc desc = SmallOp::weight_desc();
  const auto begin = [&](ds4_import*& import) {
    wrong.list().expect_status(
        api.weight_import_begin(wrong.backend().device(), &desc, 0, &import, nullptr), DS4_OK,
        "weight_import_begin");
    return import != nullptr;
  };
  ds4_import* import = nullptr;
  ds4_error error = blank_error();
  if (begin(import)) {
    ds4_status got = api.weight_import_write(import, desc.bytes - 8, values.data(), 16, &error);
    wrong.gives(DS4_E_INVALID_ARGUMENT, "weight_import_write beyond the end", got, error);
    error = blank_error();
    got = api.weight_import_write(import, 0, values.data(), 16, &error);
    wrong.list().expect_status(got, DS4_OK, "weight_import_write");
    ds4_weight* weight = nullptr;
    got = api.weight_import_finish(import, &weight, &error);
    wrong.gives(DS4_E_INVALID_ARGUMENT, "weight_import_finish before all was written", got, error);
    if (got == DS4_OK) api.weight_destroy(weight);
  }
  import = nullptr;
  error = blank_error();
  desc.bytes -= 4;
  const ds4_status got =
      api.weight_import_begin(wrong.backend().device(), &desc, 0, &import, &error);
  wrong.gives(DS4_E_INVALID_ARGUMENT, "weight_import_begin with a wrong byte count", got, error);
  if (got == DS4_OK) api.weight_import_abort(import);
}

void wrong_devices(Session& session) {
  Wrong wrong(session, "devices");
  if (!wrong.is_ready()) return;
  const ds4_backend_api& api = wrong.api();
  ds4_device_options options{};
  options.struct_size = sizeof(options);
  options.host = &session.backend().host();
  ds4_device* device = nullptr;
  ds4_error error = blank_error();
  ds4_status got = api.device_open(999, &options, &device, &error);
  wrong.gives(DS4_E_INVALID_ARGUMENT, "device_open of device 999", got, error);
  error = blank_error();
  got = api.device_open(session.target().device, nullptr, &device, &error);
  wrong.gives(DS4_E_INVALID_ARGUMENT, "device_open without options", got, error);
  error = blank_error();
  options.flags = 1U << 30;
  got = api.device_open(session.target().device, &options, &device, &error);
  wrong.gives(DS4_E_UNSUPPORTED, "device_open with an unknown flag", got, error);
  error = blank_error();
  got = api.enumerate(nullptr, 0, nullptr, &error);
  wrong.gives(DS4_E_INVALID_ARGUMENT, "enumerate without a count", got, error);
}

/// The host's allocator fails at its k-th call, for every k until a round meets no failure.
void failing_allocator(Session& session) {
  Checklist list("errors", "failing allocator");
  constexpr std::uint64_t kMost = 40;
  auto opened = session.open_again(1);
  list.expect(opened.ok(), opened ? "" : opened.error().what);
  if (opened) {
    // The first run makes what later ones reuse.
    auto op = SmallOp::make(**opened);
    list.expect(op.ok(), op ? "" : op.error().what);
    if (op) list.expect((*op)->run());
  }
  for (std::uint64_t k = 1; opened && k <= kMost && list.ok(); ++k) {
    Backend& backend = **opened;
    conformance::HostMemory& memory = backend.host_memory();
    const std::uint64_t live = memory.live;
    memory.fail_at = memory.calls + k;
    const std::uint64_t failing = memory.fail_at;
    Result<void> done;
    {
      auto op = SmallOp::make(backend);
      done = op ? (*op)->run() : Result<void>(op.error());
    }
    const bool has_failed = backend.host_memory().calls >= failing;
    memory.fail_at = 0;
    if (has_failed && !done) {
      list.expect(done.error().code == Errc::out_of_memory,
                  "call " + std::to_string(k) + " of the allocator fails: " + done.error().what);
    }
    list.expect(has_failed || done.ok(), done ? "" : done.error().what);
    auto op = SmallOp::make(backend);
    list.expect(op.ok(), op ? "" : op.error().what);
    if (op) list.expect((*op)->run());
    if (op) op->reset();
    list.expect(backend.host_memory().live <= live,
                "after a failed allocation " + std::to_string(k) + " memory is not given back");
    if (!has_failed) break;
  }
  session.report().add(list.row(session));
}

}  // namespace

void run_errors(Session& session) {
  wrong_ops(session);
  wrong_buffers(session);
  wrong_weights(session);
  wrong_devices(session);
  failing_allocator(session);
  run_wrong_descriptors(session);
}

}  // namespace ds4::validate
