/// Checks one descriptor before it runs: sizes, dtypes, extents, and that all bytes it can address
/// lie in their buffers. Every failure throws, naming the op, the field and what is wrong.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "objects.hpp"

namespace ds4::cpu {

/// Sets of dtypes that a field may have.
using DtypeSet = std::uint32_t;
inline constexpr DtypeSet kF32 = 1;
inline constexpr DtypeSet kI32 = 2;
inline constexpr DtypeSet kF16 = 4;
inline constexpr DtypeSet kBf16 = 8;
inline constexpr DtypeSet kKvRow = 16;
inline constexpr DtypeSet kIndexRow = 32;
inline constexpr DtypeSet kRowTypes = kF32 | kF16 | kBf16 | kKvRow | kIndexRow;

/// Extent that may be anything.
inline constexpr std::uint32_t kAny = 0xffffffffu;

enum class Asking {
  support,  ///< plan time: buffers and weights may be null, ranges are unknown
  enqueue   ///< everything is there and the range is resolved
};

class Check {
 public:
  Check(const ds4_device& device, const ds4_op& op, Asking asking, const sdk::RowRange& range)
      : device_(device), op_(op), asking_(asking), range_(range) {}

  enum class Use { input, output, in_place };

  /// A view indexed by rows of the step: extent 0 must cover the range. `extents` are those behind
  /// the row; their number fixes the rank. kAny takes any extent.
  void rows(const ds4_view& view, const char* field, DtypeSet dtypes,
            std::initializer_list<std::uint32_t> extents, Use use = Use::input);
  /// A view with all extents given, not indexed by rows of the step.
  void table(const ds4_view& view, const char* field, DtypeSet dtypes,
             std::initializer_list<std::uint32_t> extents, Use use = Use::input);
  /// [n, width] or [a, b, width], indexed by a list.
  void row_list(const ds4_view& view, const char* field, DtypeSet dtypes, std::uint32_t width,
                Use use = Use::input);
  /// One i32 a row of the step: [rows], any stride, or [rows, 1].
  void list(const ds4_view& view, const char* field, Use use = Use::input);
  /// [rows, width] or [rows, k, width] F32.
  void vectors(const ds4_view& view, const char* field, Use use = Use::input);
  /// The same extents behind the rows as `like`.
  void same_shape(const ds4_view& view, const char* field, const ds4_view& like);
  /// Everything of one row lies contiguous, so that it may be read as one vector.
  void contiguous_rows(const ds4_view& view, const char* field);

  /// A weight of these extents; kAny takes any. A float format unless `is_i32`.
  void weight(const ds4_weight* weight, const char* field,
              std::initializer_list<std::uint32_t> extents, bool is_i32 = false);
  /// The same of experts, which may be streamed.
  void experts(const ds4_weight* weight, const char* field,
               std::initializer_list<std::uint32_t> extents);
  /// A weight whose values count, whatever its rank.
  void vector(const ds4_weight* weight, const char* field, std::uint64_t values);
  void rope(const ds4_rope& rope, std::uint32_t width);
  void rounding(const ds4_rounding& rounding, std::uint32_t width);
  void source(const ds4_row_source& source, const char* field, std::uint32_t width,
              std::initializer_list<std::uint32_t> kinds);
  void finite(double value, const char* field);

  /// Throws unless the condition holds.
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) fail(DS4_E_INVALID_ARGUMENT, parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail(ds4_status code, const Parts&... parts) const {
    throw sdk::failure(code, sdk::op_name(op_.id), ": ", parts...).at_op(op_);
  }

  /// True for a view that takes part: it has a buffer, or at plan time at least a rank.
  [[nodiscard]] bool has(const ds4_view& view) const noexcept {
    return view.buffer != nullptr || (asking_ == Asking::support && view.rank != 0);
  }
  [[nodiscard]] Asking asking() const noexcept { return asking_; }

  /// With DS4_DEVICE_VALIDATE: throws if an output shares bytes with another view of the op and
  /// the op does not allow it.
  void overlaps() const;
  /// Throws if an output covers the header of the step block.
  void spares_header(const ds4_view& step) const;
  /// Throws if any view shares memory with the workspace: scratch would change what was checked.
  void spares_workspace(const ds4_view& workspace) const;

 private:
  struct Seen {
    const ds4_view* view;
    const char* field;
    Use use;
  };
  static constexpr std::uint32_t kMostViews = 24;

  void view(const ds4_view& view, const char* field, DtypeSet dtypes, Use use);
  void extents(const ds4_view& view, const char* field, std::uint32_t from,
               std::initializer_list<std::uint32_t> expected);
  void covers(const ds4_view& view, const char* field);
  void weight_extents(const ds4_weight& weight, const char* field,
                      std::initializer_list<std::uint32_t> extents) const;
  void holds_data(const ds4_weight& weight, const char* field) const;

  const ds4_device& device_;
  const ds4_op& op_;
  Asking asking_;
  sdk::RowRange range_;
  Seen seen_[kMostViews] = {};
  std::uint32_t seen_count_ = 0;
};

}  // namespace ds4::cpu
