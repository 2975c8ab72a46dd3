#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "loader/reason.hpp"

namespace ds4::plugins {

/// Checks 2 and 3: nobody but root, this user and (if given) `also_owner` can change the file or
/// replace it. The file and every directory above it belong to one of them and are writable by no
/// one else; by the group only where it is the owner's private group (umask 002 is common). A
/// sticky directory that anyone may write to (/tmp) passes above a directory that itself passes,
/// never as the file's own.
///
/// path: canonical. Refusals: bad-owner, bad-mode, bad-parent, with the command that accepts the
/// file anyway; not-a-file when it has gone.
[[nodiscard]] Verdict check_trust(const std::filesystem::path& path, uid_t user,
                                  std::optional<uid_t> also_owner = std::nullopt);

/// The owner of a file, or nothing.
[[nodiscard]] std::optional<uid_t> owner_of(const std::filesystem::path& path) noexcept;

}  // namespace ds4::plugins
