// One op while it is asked about or run. An op is one function: it takes its views and weights
// through a Call, which checks them, asks for its scratch, and goes on only if begin() says so.
// The same function thus answers op_support, workspace_size and enqueue.
#pragma once

#include <span>

#include "objects.hpp"

namespace example {

using Rows = sdk::Rows<std::byte>;  // addresses of a view's rows: row(r, k), entry(i)
using Source = sdk::Source<std::byte>;

// Sets of dtypes that a view may have.
enum Types : std::uint32_t {
  kF32 = 1,
  kI32 = 2,
  kF16 = 4,
  kBf16 = 8,
  kKvRow = 16,
  kIndexRow = 32,
  kRowTypes = kF32 | kF16 | kBf16 | kKvRow | kIndexRow
};

enum class Use { input, output, in_place };

class Call {
 public:
  // `rows` and `workspace` are null at plan time: ranges are unknown, buffers may be missing.
  Call(const ds4_device& device, const ds4_op& op, const sdk::RowRange* rows,
       const ds4_view* workspace);

  // A view indexed by rows of the step; its rank lies in [lowest, highest].
  Rows rows(const ds4_view& view, const char* field, std::uint32_t types, std::uint32_t lowest,
            std::uint32_t highest, Use use = Use::input);
  // One i32 a row of the step: [rows] or [rows, 1].
  Rows list(const ds4_view& view, const char* field, Use use = Use::input);
  // A view that is not indexed by rows of the step.
  Rows table(const ds4_view& view, const char* field, std::uint32_t types, std::uint32_t lowest,
             std::uint32_t highest, Use use = Use::input);
  Source source(const ds4_row_source& source, const char* field, std::uint32_t width);
  // A weight of rank [lowest, highest]; null is legal at plan time only.
  void weight(const ds4_weight* weight, const char* field, std::uint32_t lowest,
              std::uint32_t highest, std::uint32_t width, bool is_i32 = false);
  // A weight that is one row of `values` values.
  void vector(const ds4_weight* weight, const char* field, std::uint64_t values);
  bool has(const ds4_view& view) const noexcept {
    return view.buffer != nullptr || (range_ == nullptr && view.rank != 0);
  }

  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) fail(DS4_E_INVALID_ARGUMENT, parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail(ds4_status code, const Parts&... parts) const {
    throw sdk::failure(code, sdk::op_name(op_.id), ": ", parts...).at_op(op_);
  }
  void same(std::uint64_t found, std::uint64_t wanted, const char* field) const {
    require(found == wanted, field, " is ", found, " where ", wanted, " is needed");
  }
  // y as x: the same extents behind the rows.
  void like(const ds4_view& y, const ds4_view& x) const;

  // `n` values in the workspace that the host gives; only counted at plan time.
  template <class T>
  T* scratch(std::uint64_t n) noexcept {
    const std::uint64_t at = scratch_bytes_;
    scratch_bytes_ = sdk::sat_add(at, sdk::round_up(sdk::sat_mul(n, sizeof(T)), kAlignment));
    return workspace_ != nullptr ? reinterpret_cast<T*>(workspace_ + at) : nullptr;
  }
  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }

  // True when the op is to run now: everything it needs is there. False at plan time.
  bool begin();

  std::uint32_t first() const noexcept { return range_->first; }
  std::uint32_t end() const noexcept { return range_->end(); }
  const ds4_host_api& host() const noexcept { return *device_.host; }

 private:
  Rows view(const ds4_view& view, const char* field, std::uint32_t types, std::uint32_t lowest,
            std::uint32_t highest, Use use);
  void refuse_overlap() const;

  const ds4_device& device_;
  const ds4_op& op_;
  const sdk::RowRange* range_;
  std::byte* workspace_ = nullptr;
  std::uint64_t workspace_bytes_ = 0;
  std::uint64_t scratch_bytes_ = 0;
  struct Seen {
    const ds4_view* view;
    const char* field;
    Use use;
  } seen_[24] = {};
  std::uint32_t seen_count_ = 0;
};

// What an op id stands for; each list belongs to the file of that name.
struct OpEntry {
  std::uint32_t id;
  void (*run)(Call&, const void* op);
};
std::span<const OpEntry> plain_ops() noexcept;      // ops.cpp
std::span<const OpEntry> model_ops() noexcept;      // ops_model.cpp
std::span<const OpEntry> attention_ops() noexcept;  // ops_attention.cpp

template <class T, void (*Run)(Call&, const T&)>
constexpr OpEntry entry(std::uint32_t id) noexcept {
  return {id, [](Call& call, const void* op) { Run(call, *static_cast<const T*>(op)); }};
}

inline float* f32(std::byte* p) noexcept {
  return reinterpret_cast<float*>(p);
}
inline std::int32_t* i32(std::byte* p) noexcept {
  return reinterpret_cast<std::int32_t*>(p);
}
inline std::uint32_t width_of(const ds4_view& view) noexcept {
  return view.rank == 0 ? 0 : view.extent[view.rank - 1];
}
// Vectors that a row of a [rows, width] or [rows, k, width] view holds.
inline std::uint32_t vectors_of(const ds4_view& view) noexcept {
  return view.rank == 3 ? view.extent[1] : 1;
}

}  // namespace example
