#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/engine.hpp"

namespace ds4 {

/// Tokens of the uncached part: done so far, and in all.
using PrefillProgress = std::function<void(std::uint32_t done, std::uint32_t total)>;

struct SyncReport {
  std::uint32_t cached = 0;     ///< tokens that were already there
  std::uint32_t evaluated = 0;  ///< tokens that were evaluated
  std::uint32_t repeated = 0;   ///< of these, tokens before where the session was to go back to:
                                ///< known already, but no state to go back to was nearer
  std::vector<float> logits;    ///< [vocab] after the last token
};

/// Makes the session's state equal to `tokens`: keeps the common prefix, rewinds what differs,
/// evaluates the rest in chunks of the engine's prefill rows. At least the last token is evaluated,
/// since its logits are wanted; the state before it is kept as a restore point, so that the same
/// prompt costs one token again.
///
/// `cancelled` is asked between chunks; a cancelled call leaves the session at the last whole
/// chunk. Errors: invalid_argument (no token, more than the context), cancelled, and those of
/// Engine::step().
Result<SyncReport> sync(Engine& engine, SessionId session, std::span<const std::int32_t> tokens,
                        const PrefillProgress& progress = {},
                        const std::function<bool()>& cancelled = {});

/// Evaluates one token and gives the logits of the next position; the span lives until the next
/// step.
Result<std::span<const float>> evaluate(Engine& engine, SessionId session, std::int32_t token);

}  // namespace ds4
