#include "loader/reason.hpp"

#include <array>

namespace ds4::plugins {
namespace {

/// In the order of the enumeration.
constexpr std::array<std::string_view, 24> kNames = {
    "not-a-file", "bad-owner",  "bad-mode", "bad-parent",    "not-elf",      "wrong-arch",
    "truncated",  "unsafe-elf", "no-note",  "name-mismatch", "abi-major",    "abi-minor",
    "sanitizer",  "isa",        "no-entry", "leaks-symbols", "bad-manifest", "hash",
    "probe",      "dlopen",     "changed",  "entry-failed",  "bad-table",    "no-device"};
static_assert(kNames.size() == static_cast<std::size_t>(Reason::no_device) + 1);

}  // namespace

std::string_view reason_name(Reason reason) noexcept {
  return kNames[static_cast<std::size_t>(reason)];
}

std::optional<Reason> reason_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Reason>(i);
  }
  return std::nullopt;
}

}  // namespace ds4::plugins
