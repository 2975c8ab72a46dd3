/// What tells one CPU backend from another: its name, its score, its ops and how it lays out
/// weights. Each backend defines personality() once; the rest of this folder is alike in all of
/// them.
#pragma once

#include <cstdint>

#include "context.hpp"

namespace ds4::cpu {

struct Personality {
  const char* name;     ///< of the backend, as in its note
  const char* version;  ///< likewise
  const char* build;    ///< compiler and flags, one line
  /// Score of the one device here; 0 needs a reason.
  std::uint32_t (*score)();
  /// Why the score is 0, or a remark, or "". A static string.
  const char* (*reason)();
  /// DS4_CAP_* that this backend promises beyond what host memory gives.
  std::uint64_t capabilities;
  /// The entries of all ops, in the order of sdk::kOps.
  const OpEntry* const* ops;
  /// Multiply-adds of an op that are worth sharing out behind a barrier.
  std::uint64_t shared_work;
  /// Layout that a weight is packed into at import; null, or a null answer: the source's own.
  const WeightLayout* (*layout)(const ds4_weight_desc& desc) noexcept;
  /// Names the packed layouts: changes when any of them does.
  const char* fingerprint;
};

const Personality& personality() noexcept;

/// The table of functions that the backend's entry gives out.
const ds4_backend_api& backend_table() noexcept;

}  // namespace ds4::cpu
