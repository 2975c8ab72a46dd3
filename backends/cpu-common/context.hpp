/// What an op sees while it runs: its share of the threads, its scratch, addresses, and a place for
/// an index that turned out wrong. An op runs on all threads of the region, or on thread 0 alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "check.hpp"
#include "dequant.hpp"
#include "objects.hpp"

namespace ds4::cpu {

/// Hands out scratch front to back. Without a base it only counts, so that one function per op both
/// sizes and takes its scratch.
class Arena {
 public:
  explicit Arena(std::byte* base = nullptr) noexcept : base_(base) {}

  template <class T>
  T* take(std::uint64_t a, std::uint64_t b = 1, std::uint64_t c = 1) noexcept {
    const std::uint64_t at = used_;
    const std::uint64_t bytes = sdk::sat_mul(sdk::sat_mul(sdk::sat_mul(a, b), c), sizeof(T));
    used_ = sdk::sat_add(used_, sdk::round_up(bytes, kAlignment));
    return base_ != nullptr ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }

 private:
  std::byte* base_;
  std::uint64_t used_ = 0;
};

using Bytes = sdk::Rows<std::byte>;
using RowSource = sdk::Source<std::byte>;

/// What first went wrong in a region, a wrong index or experts that did not come; later ones are
/// dropped.
struct Fault {
  std::atomic<std::uint32_t> op{0xffffffffu};  ///< position in the submission
  std::atomic_flag is_taken;
  ds4_status code = DS4_E_INVALID_ARGUMENT;
  std::uint32_t id = 0;
  std::uint32_t tag = 0;
  sdk::Message text;
};

class Context {
 public:
  Context(const ds4_host_api& host, Fault& fault, const ds4_op& op, std::uint32_t position,
          std::uint32_t this_thread, std::uint32_t all_threads, Arena shared_scratch,
          Arena local_scratch) noexcept
      : shared(shared_scratch),
        local(local_scratch),
        thread(this_thread),
        threads(all_threads),
        host_(host),
        fault_(fault),
        op_(op),
        position_(position) {}

  Arena shared;  ///< the same block on every thread
  Arena local;   ///< this thread's own block
  std::uint32_t thread;
  std::uint32_t threads;

  /// Waits for all threads of this op.
  void barrier() const noexcept {
    if (threads > 1) host_.team_barrier(host_.host_ctx);
  }

  /// This thread's share of `items` independent results.
  [[nodiscard]] sdk::Part share(std::uint64_t items) const noexcept {
    return sdk::part_of(items, thread, threads);
  }

  [[nodiscard]] static Bytes bytes(const ds4_view& view) noexcept {
    if (view.buffer == nullptr) return {};
    return sdk::rows_of<std::byte>(view, view.buffer->data);
  }
  [[nodiscard]] static RowSource source(const ds4_row_source& from) noexcept {
    return sdk::source_of<std::byte>(from, [](const ds4_view& v) { return v.buffer->data; });
  }

  /// Notes that `field` of row `row` holds `value` although only 0 .. limit - 1 (or -1) exist.
  void bad_index(const char* field, std::uint32_t row, std::int64_t value,
                 std::int64_t limit) noexcept {
    note(DS4_E_INVALID_ARGUMENT, field, " of row ", row, " is ", value, ", there are ", limit);
  }
  /// Notes why this op cannot be finished; ops behind it do not run.
  template <class... Parts>
  void note(ds4_status code, const Parts&... parts) noexcept {
    if (fault_.is_taken.test_and_set()) return;
    fault_.code = code;
    fault_.id = op_.id;
    fault_.tag = op_.tag;
    fault_.text = sdk::Message(sdk::op_name(op_.id), ": ", parts...);
    fault_.op.store(position_);
  }
  [[nodiscard]] const ds4_host_api& host() const noexcept { return host_; }

 private:
  const ds4_host_api& host_;
  Fault& fault_;
  const ds4_op& op_;
  std::uint32_t position_;
};

inline const float* f32(const std::byte* p) noexcept {
  return reinterpret_cast<const float*>(p);
}
inline float* f32(std::byte* p) noexcept {
  return reinterpret_cast<float*>(p);
}
inline std::int32_t* i32(std::byte* p) noexcept {
  return reinterpret_cast<std::int32_t*>(p);
}

/// Rows that a range can hold at most, for scratch: no more than its view has.
inline std::uint64_t most_rows(const ds4_range& range, const ds4_view& view) noexcept {
  return range.max < view.extent[0] ? range.max : view.extent[0];
}
/// Vectors a row of a [rows, width] or [rows, k, width] view holds.
inline std::uint32_t vectors_of(const ds4_view& view) noexcept {
  return view.rank == 3 ? view.extent[1] : 1;
}
inline std::uint32_t width_of(const ds4_view& view) noexcept {
  return view.rank == 0 ? 0 : view.extent[view.rank - 1];
}
inline std::uint32_t width_of(const ds4_weight* weight) noexcept {
  return weight == nullptr ? 0 : weight->width();
}

/// One op of this backend. The functions get the full descriptor, already checked for its size.
struct OpEntry {
  std::uint32_t id;
  void (*check)(Check& check, const void* op);
  /// Takes scratch exactly as `run` does; null: none.
  void (*scratch)(Arena& shared, Arena& local, const void* op);
  void (*run)(Context& context, const void* op, const sdk::RowRange& rows);
  /// Multiply-adds, roughly: below a threshold thread 0 runs the op alone.
  std::uint64_t (*work)(const void* op, std::uint64_t rows);
};

/// Wraps typed functions of one op into its entry: T is the descriptor.
template <class T, void (*CheckFn)(Check&, const T&),
          void (*RunFn)(Context&, const T&, const sdk::RowRange&),
          std::uint64_t (*WorkFn)(const T&, std::uint64_t)>
constexpr OpEntry make_entry(std::uint32_t id) noexcept {
  return {
      id, [](Check& c, const void* op) { CheckFn(c, *static_cast<const T*>(op)); }, nullptr,
      [](Context& c, const void* op, const sdk::RowRange& rows) {
        RunFn(c, *static_cast<const T*>(op), rows);
      },
      [](const void* op, std::uint64_t rows) { return WorkFn(*static_cast<const T*>(op), rows); }};
}

/// The same with scratch: Layout is built from (shared arena, local arena, op).
template <class T, class Layout, void (*CheckFn)(Check&, const T&),
          void (*RunFn)(Context&, const T&, const sdk::RowRange&),
          std::uint64_t (*WorkFn)(const T&, std::uint64_t)>
constexpr OpEntry make_entry_with(std::uint32_t id) noexcept {
  OpEntry entry = make_entry<T, CheckFn, RunFn, WorkFn>(id);
  entry.scratch = [](Arena& shared, Arena& local, const void* op) {
    static_cast<void>(Layout(shared, local, *static_cast<const T*>(op)));
  };
  return entry;
}

}  // namespace ds4::cpu
