#pragma once

#include <string_view>

#include "base/result.hpp"
#include "ds4/backend.h"

namespace ds4::plugins {

/// An empty error record for a callee of the C table to fill.
[[nodiscard]] ds4_error make_error_slot() noexcept;

/// What a status means to our callers; statuses that the ABI does not know are Errc::internal.
[[nodiscard]] Errc errc_of(ds4_status status) noexcept;

/// The status that reports `code` to a backend (the host's callbacks answer with it).
[[nodiscard]] ds4_status status_of(Errc code) noexcept;

/// The one place where a status and its record become an Error: "cpu: enqueue: layer 7, op 3 of the
/// plan (id 81): text". `status` is not DS4_OK.
[[nodiscard]] Error translate(ds4_status status, const ds4_error& record, std::string_view backend,
                              std::string_view function);

/// Result<void> of a table call: success, or translate().
[[nodiscard]] Result<void> to_result(ds4_status status, const ds4_error& record,
                                     std::string_view backend, std::string_view function);

/// The bytes of a fixed-size text field up to its NUL, or all of them when there is none.
[[nodiscard]] std::string_view bounded_text(const char* field, std::size_t capacity) noexcept;

template <std::size_t N>
[[nodiscard]] std::string_view bounded_text(const char (&field)[N]) noexcept {
  return bounded_text(field, N);
}

}  // namespace ds4::plugins
