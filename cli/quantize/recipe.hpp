#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "format/dtype.hpp"
#include "model/tensors.hpp"

namespace ds4::quantize {

/// Which element type each tensor gets.
struct Recipe {
  Dtype projections = Dtype::q8_0;  ///< attention, shared expert, output
  Dtype side = Dtype::f16;          ///< embedding, router, compressors, indexer, hyper-connections
  std::optional<Dtype> gate_up;     ///< routed experts; unset: MXFP4 where the checkpoint has FP4,
  std::optional<Dtype> down;        ///< else the type of the projections

  /// `type` is "auto" (the published layout with experts kept exactly), or one type for all
  /// projections and experts; f32, f16 and bf16 then hold for the side tensors too. `experts` is
  /// empty, one type, or "GATE_UP/DOWN".
  /// Errors: invalid_argument for a type that is unknown or that no program could load.
  static Result<Recipe> parse(std::string_view type, std::string_view experts);

  /// The type of a role; `is_fp4` says whether the checkpoint stores it in FP4.
  [[nodiscard]] Dtype of(TensorRole role, bool is_fp4) const noexcept;
};

}  // namespace ds4::quantize
