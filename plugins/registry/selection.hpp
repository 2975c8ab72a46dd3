#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "registry/candidate.hpp"
#include "registry/registry.hpp"

namespace ds4::plugins {

/// A device of a usable candidate, by index.
struct Choice {
  std::size_t candidate = 0;
  std::uint32_t device = 0;
  std::uint32_t score = 0;
};

/// The device that a request stands for: the highest score, then search order, then the order of
/// devices. Several backends may claim one physical device; the score decides between them too.
/// Errors: as Registry::select().
Result<Choice> choose(std::span<const Candidate> candidates, const BackendRequest& request);

/// True when `request` names this candidate, itself or as a member of its family.
[[nodiscard]] bool is_named_by(const Candidate& candidate, std::span<const Candidate> all,
                               const BackendRequest& request);

/// "code: text (path)" of a candidate that cannot be used.
[[nodiscard]] std::string describe_refusal(const Candidate& candidate);

}  // namespace ds4::plugins
