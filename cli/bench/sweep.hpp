#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "bench/options.hpp"
#include "bench/probe.hpp"
#include "bench/roofline.hpp"
#include "bench/rows.hpp"
#include "engine/engine.hpp"

namespace ds4::bench {

/// What a sweep runs on and whom it tells.
struct Sweep {
  Engine* engine = nullptr;
  std::span<const std::int32_t> tokens;  ///< at least as many as the last frontier
  std::int32_t end_token = -1;           ///< never decoded; -1: the model has none
  const Roofline* roofline = nullptr;
  double bytes_per_second = 0;  ///< of the probe; 0: no ceilings, no ratios
  std::string backend;
  std::uint32_t run = 1;
  bool warms_up = false;  ///< evaluates a few tokens first

  /// Whether the devices promise equal bits: what is evaluated again after going back to a frontier
  /// must then have them.
  bool checks_restore = false;

  std::function<Result<void>(const BenchRow&)> on_row;
  /// Logits of the last row of a frontier, before its row. May be empty.
  std::function<Result<void>(std::uint32_t frontier, std::span<const float>)> on_logits;
  /// Decoded tokens of a frontier. May be empty.
  std::function<void(std::span<const std::int32_t>)> on_decoded;
  std::function<bool()> cancelled;
};

/// Walks the frontiers of `options`. At each one the tokens since the one before are evaluated and
/// timed alone, then tokens are decoded, each the likeliest but the end token, each timed; then the
/// session goes back to a restore point, or by evaluating again, outside every timed window. With
/// `checks_restore` the first decoded token is then evaluated once more and its logits are
/// compared. Errors name the frontier; rows given to `on_row` before stay good. cancelled; internal
/// when a restored state gives other bits.
Result<void> run_sweep(const BenchOptions& options, const Sweep& sweep);

}  // namespace ds4::bench
