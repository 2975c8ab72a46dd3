#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wrap/device.hpp"

namespace ds4 {

/// An op whose result on the engine's device is out of tolerance.
struct ShadowFinding {
  std::uint32_t step = 0;  ///< counts the engine's steps from 0
  std::uint32_t layer = 0;
  std::string op;      ///< "moe_routed"
  std::string dtype;   ///< of its weights, "iq2_xxs/q2_k"; else of the output
  std::string output;  ///< "y"
  std::uint64_t row = 0;
  std::optional<std::uint32_t> session;   ///< whose row it is; none for rows that are nobody's
  std::optional<std::uint32_t> position;  ///< of that row, or the first of what it compresses
  std::uint64_t value = 0;                ///< of the row: the one furthest off
  double got = 0;
  double expected = 0;
  double error = 0;  ///< of the row, as its limit is meant (docs/validate.md)
  double limit = 0;
  std::string text;  ///< all of it in a line, with what repeats it
};

/// A second device on which ops are run again, each from the first one's input.
///
/// For finding out which op of a backend is wrong. Ops run one by one and both devices are waited
/// for after each; state is copied to the shadow before each step that is checked.
struct ShadowOptions {
  std::shared_ptr<plugins::Device> device;  ///< null: no shadow
  std::uint32_t every = 1;                  ///< checks steps 0, every, 2 * every ...
  /// Called for the first output of an op that is out of tolerance. True: the step goes on, with
  /// what the engine's device computed. False, or no function: the step fails with the finding.
  std::function<bool(const ShadowFinding&)> on_finding;
};

/// How near one output came to its limit.
struct ShadowWorst {
  std::string output;  ///< "moe_routed.y"
  std::uint64_t compared = 0;
  double error = 0;  ///< of the worst row within tolerance
  double limit = 0;
  bool is_reduced = false;  ///< some row was within reduced precision only
};

/// What a shadow has compared so far.
struct ShadowReport {
  std::string device;  ///< backend of the shadow
  std::uint64_t steps = 0;
  std::uint64_t steps_compared = 0;
  std::uint64_t ops = 0;
  std::uint64_t findings = 0;
  std::uint64_t other_choices = 0;        ///< rows whose experts differ by near ties
  std::vector<ShadowWorst> outputs;       ///< by name
  std::vector<std::string> not_compared;  ///< ops that the shadow does not have, each once
};

}  // namespace ds4
