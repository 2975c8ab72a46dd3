#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace ds4 {

/// One thinking level of a checkpoint.
struct EffortLevel {
  std::string_view name;      ///< as in requests: "none", "high", "max"
  bool thinking = false;      ///< opens <think>; otherwise </think> stands there
  std::string_view prefix;    ///< written directly after BOS; empty = none
  std::uint64_t min_context;  ///< tokens of context below which the level before it is used
};

/// A request value and the level it selects.
struct EffortAlias {
  std::string_view value;
  std::string_view level;
};

/// The strings that are one token each.
struct PromptMarkers {
  std::string_view bos;
  std::string_view eos;
  std::string_view user;
  std::string_view assistant;
  std::string_view think_open;
  std::string_view think_close;
  std::string_view dsml;
};

struct SamplingDefaults {
  float temperature;
  float top_p;
  std::uint32_t top_k;
  float chat_min_p;  ///< for chat requests; raw completions use 0
};

/// What differs between checkpoints of one family: data, selected by name.
struct ModelProfile {
  std::string_view name;
  PromptMarkers markers;
  std::span<const EffortLevel> efforts;  ///< ascending; the first does not think
  std::span<const EffortAlias> aliases;
  std::string_view default_effort;
  std::string_view tools_head;
  std::string_view tools_tail;
  std::string_view response_format_head;
  SamplingDefaults sampling;
};

/// The first V4 release (Flash and Pro).
[[nodiscard]] const ModelProfile& v4_profile() noexcept;

/// A profile by name. Errors: not_found, listing the known names.
Result<const ModelProfile*> find_profile(std::string_view name);

/// The level for a request's effort value ("" = the default) and the configured context.
/// A level that needs more context than there is falls back to the one below; `context` of 0 lifts
/// this rule. Errors: invalid_argument, listing the accepted values.
Result<const EffortLevel*> resolve_effort(const ModelProfile& profile, std::string_view value,
                                          std::uint64_t context);

}  // namespace ds4
