// Part of lifecycle: every struct with a size is passed in memory that ends where it ends, and
// again longer than this version knows it, as a newer host passes it.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ops/views.hpp"
#include "validate/session.hpp"
#include "validate/small_op.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;

constexpr std::uint32_t kNewer = 64;  // bytes that a newer host has behind a struct
constexpr std::size_t kGuard = 64;
constexpr std::byte kGuardByte{0xA5};

/// A struct as the caller holds it: struct_size bytes, then memory that is not the struct's. The
/// heap block ends with that memory, so that a sanitizer sees what the guard does not.
template <class T>
class Sized {
 public:
  Sized(Checklist& list, const char* what, std::uint32_t extra)
      : list_(list), what_(what), size_(sizeof(T) + extra), bytes_(size_ + kGuard, kGuardByte) {
    std::fill_n(bytes_.begin(), size_, std::byte{0});
    get()->struct_size = static_cast<std::uint32_t>(size_);
  }
  ~Sized() {
    const bool is_intact = std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(size_),
                                       bytes_.end(), [](std::byte b) { return b == kGuardByte; });
    list_.expect(is_intact, what_ + ": memory behind the struct changed");
    list_.expect(get()->struct_size == size_, what_ + ": the caller's struct_size changed");
    const bool has_no_tail =
        std::all_of(bytes_.begin() + sizeof(T), bytes_.begin() + static_cast<std::ptrdiff_t>(size_),
                    [](std::byte b) { return b == std::byte{0}; });
    list_.expect(has_no_tail, what_ + ": fields that this version does not have were written");
  }
  Sized(const Sized&) = delete;
  Sized& operator=(const Sized&) = delete;

  T* get() { return reinterpret_cast<T*>(bytes_.data()); }
  T* operator->() { return get(); }
  /// Takes the fields of `from`, not its size.
  void take(const T& from) {
    const std::uint32_t size = get()->struct_size;
    std::memcpy(bytes_.data(), &from, sizeof(T));
    get()->struct_size = size;
  }

 private:
  Checklist& list_;
  std::string what_;
  std::size_t size_;
  std::vector<std::byte> bytes_;
};

/// Opens a device of its own, imports a weight and runs an op, all through such structs.
class Round {
 public:
  Round(Session& session, Checklist& list, std::uint32_t extra)
      : session_(session), list_(list), extra_(extra), api_(session.backend().api()) {}

  void run() {
    describe();
    Sized<ds4_device_options> options(list_, "ds4_device_options", extra_);
    options->host = &session_.backend().host();
    ds4_device* device = nullptr;
    expect(api_.device_open(session_.target().device, options.get(), &device, error("device_open")),
           "device_open");
    if (device == nullptr) return;
    use(device);
    expect(api_.device_close(device, error("device_close")), "device_close");
  }

 private:
  /// A fresh error record; the one before is looked at.
  ds4_error* error(const char* call) {
    error_.emplace(list_, call, extra_);
    return error_->get();
  }
  void expect(ds4_status got, const std::string& call) { list_.expect_status(got, DS4_OK, call); }

  void describe() {
    Sized<ds4_backend_info> about(list_, "ds4_backend_info", extra_);
    expect(api_.describe(about.get(), error("describe")), "describe");
    list_.expect(about->name != nullptr && session_.target().name == about->name,
                 "describe gives another name");
    Sized<ds4_device_info> info(list_, "ds4_device_info", extra_);
    std::uint32_t count = 0;
    expect(api_.enumerate(info.get(), 1, &count, error("enumerate")), "enumerate");
    list_.expect(count >= 1 && info->memory_kinds >= 1, "enumerate fills no device");
  }

  void use(ds4_device* device) {
    const std::vector<float> values = SmallOp::weight_values();
    Sized<ds4_weight_desc> desc(list_, "ds4_weight_desc", extra_);
    desc.take(SmallOp::weight_desc());
    Sized<ds4_weight_answer> answer(list_, "ds4_weight_answer", extra_);
    expect(api_.weight_query(device, desc.get(), answer.get(), error("weight_query")),
           "weight_query");
    list_.expect(answer->accepted == 1, "weight_query takes no F32 matrix");
    ds4_import* import = nullptr;
    ds4_weight* weight = nullptr;
    expect(api_.weight_import_begin(device, desc.get(), 0, &import, error("weight_import_begin")),
           "weight_import_begin");
    if (import == nullptr) return;
    expect(api_.weight_import_write(import, 0, values.data(), desc->bytes,
                                    error("weight_import_write")),
           "weight_import_write");
    expect(api_.weight_import_finish(import, &weight, error("weight_import_finish")),
           "weight_import_finish");
    if (weight != nullptr) api_.weight_destroy(weight);
    ask(device);
    if (DS4_HAS(ds4_backend_api, &api_, stats_read)) {
      Sized<ds4_stats> stats(list_, "ds4_stats", extra_);
      expect(api_.stats_read(device, stats.get(), error("stats_read")), "stats_read");
    }
  }

  /// Asks for an op as a plan does: views without buffers.
  void ask(ds4_device* device) {
    Sized<ds4_op_support> support(list_, "ds4_op_support", extra_);
    ds4_op_fill op{};
    op.op = {sizeof(op), DS4_OP_FILL, 0, 0};
    op.rows = range_all(2);
    op.y = make_view(nullptr, 0, DS4_DTYPE_F32, {2, 8});
    expect(api_.op_support(device, &op.op, support.get(), error("op_support")), "op_support");
    list_.expect(support->level != DS4_SUPPORT_NO, "op_support refuses fill, which is required");
    Sized<ds4_submission> submission(list_, "ds4_submission", extra_);
    ds4_stream* stream = nullptr;
    expect(api_.stream_create(device, &stream, error("stream_create")), "stream_create");
    if (stream == nullptr) return;
    expect(api_.enqueue(stream, submission.get(), error("enqueue")), "enqueue of no ops");
    expect(api_.stream_sync(stream, error("stream_sync")), "stream_sync");
    api_.stream_destroy(stream);
    // One that must fail: the error is filled, and no byte more.
    (void)api_.device_open(999, nullptr, &device, error("device_open of nothing"));
    list_.expect(error_->get()->code != 0 && error_->get()->text[0] != '\0',
                 "a wrong call does not fill an error of this size");
    error_.reset();
  }

  Session& session_;
  Checklist& list_;
  std::uint32_t extra_;
  const ds4_backend_api& api_;
  std::optional<Sized<ds4_error>> error_;
};

}  // namespace

void run_struct_sizes(Session& session) {
  for (const auto& [extra, subject] :
       {std::pair{0U, "structs of least size"}, {kNewer, "structs of a newer host"}}) {
    Checklist list("lifecycle", subject);
    {
      Round round(session, list, extra);
      round.run();
    }
    session.report().add(list.row(session));
  }
}

}  // namespace ds4::validate
