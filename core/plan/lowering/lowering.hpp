#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/result.hpp"
#include "ds4/ops.h"

namespace ds4 {

/// Takes the ops that a composition emits, and hands out the scratch tensors between them.
class LoweringSink {
 public:
  virtual ~LoweringSink() = default;

  /// Row-contiguous scratch of the given dtype (F32 or I32) and extents, on the device of the plan.
  /// It lives until the composition of the current fused op is complete, and holds no value before
  /// it is written.
  virtual ds4_view scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) = 0;

  /// Appends a copy of a tier-1 descriptor; `op.struct_size` is its full size. The tag is the fused
  /// op's.
  virtual void emit(const ds4_op& op) = 0;
};

/// Writes the tier-1 composition of a fused op, which is at the same time its definition (ops.h,
/// tier 2).
///
/// Errors: unsupported, when `fused` is no tier-2 op or its descriptor is malformed.
Result<void> lower(const ds4_op& fused, LoweringSink& sink);

}  // namespace ds4
