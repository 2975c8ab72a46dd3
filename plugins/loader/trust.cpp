#include "loader/trust.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <string_view>
#include <vector>

namespace ds4::plugins {
namespace {

constexpr std::size_t kDatabaseBytes = 64 * 1024;

/// True when `group` is the primary group of `owner`, bears the owner's name and has no member but
/// the owner: then group write adds nobody.
bool is_private_group(uid_t owner, gid_t group) {
  std::vector<char> user_text(kDatabaseBytes);
  std::vector<char> group_text(kDatabaseBytes);
  passwd user{};
  passwd* found_user = nullptr;
  struct group entry {};
  struct group* found_group = nullptr;
  if (::getpwuid_r(owner, &user, user_text.data(), user_text.size(), &found_user) != 0 ||
      found_user == nullptr || user.pw_gid != group) {
    return false;
  }
  if (::getgrgid_r(group, &entry, group_text.data(), group_text.size(), &found_group) != 0 ||
      found_group == nullptr || std::string_view(entry.gr_name) != user.pw_name) {
    return false;
  }
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (std::string_view(*member) != user.pw_name) return false;
  }
  return true;
}

enum class Finding { fine, foreign_owner, others_write, group_write };

Finding examine(const struct stat& info, uid_t user, std::optional<uid_t> also_owner) {
  const bool owner_fits =
      info.st_uid == 0 || info.st_uid == user || (also_owner && info.st_uid == *also_owner);
  if (!owner_fits) return Finding::foreign_owner;
  if ((info.st_mode & S_IWOTH) != 0) return Finding::others_write;
  if ((info.st_mode & S_IWGRP) != 0 && !is_private_group(info.st_uid, info.st_gid)) {
    return Finding::group_write;
  }
  return Finding::fine;
}

std::string_view describe(Finding finding) {
  switch (finding) {
    case Finding::foreign_owner:
      return "belongs to another user";
    case Finding::others_write:
      return "can be written by everyone";
    case Finding::group_write:
      return "can be written by its group";
    case Finding::fine:
      break;
  }
  return "is fine";
}

Refusal refuse(Reason reason, std::string_view what, Finding finding,
               const std::filesystem::path& accept) {
  std::string text(what);
  text += ' ';
  text += describe(finding);
  text += "; change that, or accept it with --allow-untrusted-backend " + accept.string();
  return Refusal{reason, std::move(text)};
}

}  // namespace

Verdict check_trust(const std::filesystem::path& path, uid_t user,
                    std::optional<uid_t> also_owner) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return Refusal{Reason::not_a_file, "cannot be examined"};
  }
  if (const Finding finding = examine(info, user, also_owner); finding != Finding::fine) {
    const Reason reason = finding == Finding::foreign_owner ? Reason::bad_owner : Reason::bad_mode;
    return refuse(reason, "the file", finding, path);
  }
  bool is_own_directory = true;
  for (auto directory = path.parent_path();; directory = directory.parent_path()) {
    if (::stat(directory.c_str(), &info) != 0) {
      return Refusal{Reason::bad_parent,
                     "the directory " + directory.string() + " cannot be examined"};
    }
    const Finding finding = examine(info, user, also_owner);
    const bool writable = finding == Finding::others_write || finding == Finding::group_write;
    // In a sticky directory others cannot rename or remove what is not theirs.
    const bool sticky_passes = writable && !is_own_directory && (info.st_mode & S_ISVTX) != 0;
    if (finding != Finding::fine && !sticky_passes) {
      return refuse(Reason::bad_parent, "the directory " + directory.string(), finding, path);
    }
    is_own_directory = false;
    if (directory == directory.parent_path()) return std::nullopt;
  }
}

std::optional<uid_t> owner_of(const std::filesystem::path& path) noexcept {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_uid;
}

}  // namespace ds4::plugins
