#include "loader/check_file.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <system_error>

#include "base/mapped_file.hpp"
#include "loader/preflight_elf.hpp"
#include "loader/trust.hpp"

namespace ds4::plugins {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLeastBytes = 4ull << 10;
constexpr std::uint64_t kMostBytes = 4ull << 30;

/// Check 1. Resolves links; `path` becomes canonical.
Verdict check_is_file(fs::path& path, FileIdentity& identity) {
  std::error_code code;
  fs::path canonical = fs::canonical(path, code);
  if (code) return Refusal{Reason::not_a_file, "cannot be resolved: " + code.message()};
  path = std::move(canonical);
  if (!fs::is_regular_file(path, code)) {
    return Refusal{Reason::not_a_file, "is not a regular file; put a backend's file there"};
  }
  const auto found = identify(path);
  if (!found) return Refusal{Reason::not_a_file, "cannot be examined"};
  identity = *found;
  if (identity.bytes < kLeastBytes || identity.bytes > kMostBytes) {
    return Refusal{Reason::not_a_file, "has " + std::to_string(identity.bytes) +
                                           " bytes, a backend has 4 KiB to 4 GiB; copy it again"};
  }
  return std::nullopt;
}

/// `path` is one of the files that were accepted by name, or lies below an accepted directory.
bool is_accepted(const fs::path& path, const BackendSearchOptions& options) {
  if (options.privileged) return false;
  for (const fs::path& accepted : options.allow_untrusted) {
    std::error_code code;
    const fs::path wanted = fs::canonical(accepted, code);
    if (code) continue;
    const auto [rest, at] = std::mismatch(wanted.begin(), wanted.end(), path.begin(), path.end());
    if (rest == wanted.end()) return true;
  }
  return false;
}

/// Checks 2 and 3, or the notice that they were waived.
Verdict check_rights(const FoundFile& file, const BackendSearchOptions& options, CheckedFile& out) {
  // What lies beside the program is as trustworthy as the program itself.
  const auto also_owner =
      file.place == SearchPlace::executable ? owner_of(options.executable) : std::nullopt;
  auto refusal = check_trust(out.path, ::geteuid(), also_owner);
  if (!refusal || !is_accepted(out.path, options)) return refusal;
  out.notices.push_back(out.path.string() + ": used although " +
                        refusal->text.substr(0, refusal->text.find(';')) +
                        " (--allow-untrusted-backend)");
  return std::nullopt;
}

/// Reads the manifest of one folder on top of what is known: it can only narrow.
Verdict read_manifest(const fs::path& folder, const std::string& library, CheckedFile& out) {
  const fs::path path = folder / manifest_file_name(out.name);
  const auto file = MappedFile::open(path);
  if (!file && file.error().code == Errc::not_found) return std::nullopt;
  if (!file) return Refusal{Reason::bad_manifest, file.error().what};
  const auto bytes = file->bytes();
  auto manifest = parse_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!manifest) return Refusal{Reason::bad_manifest, manifest.error().in(path.string()).what};
  out.manifest = *manifest;
  for (const std::string& warning : out.manifest.warnings) {
    out.notices.push_back(path.string() + ": " + warning);
  }
  if (!out.manifest.library.empty() && out.manifest.library != library) {
    return Refusal{Reason::bad_manifest,
                   path.string() + ": key \"library\" names another file, " + out.manifest.library};
  }
  return std::nullopt;
}

/// A manifest may lie beside the name that was found and beside the file that a link leads to;
/// either may disable the file, and the pin of the first one counts.
Verdict read_manifests(const FoundFile& found, CheckedFile& out) {
  const fs::path folder = found.path.parent_path();
  if (auto refusal = read_manifest(folder, found.path.filename().string(), out)) return refusal;
  if (!out.manifest.enabled || folder == out.path.parent_path()) return std::nullopt;
  const Manifest first = out.manifest;
  if (auto refusal = read_manifest(out.path.parent_path(), out.path.filename().string(), out)) {
    return refusal;
  }
  if (!first.sha256.empty()) out.manifest.sha256 = first.sha256;
  return std::nullopt;
}

Verdict check_content(CheckedFile& out) {
  const auto file = MappedFile::open(out.path);
  if (!file) return Refusal{Reason::not_a_file, file.error().what};
  if (auto refusal = preflight_elf(file->bytes(), out.name, cpu_isa(), out.note)) return refusal;
  if (out.manifest.sha256.empty()) return std::nullopt;
  const std::string found = sha256_hex(file->bytes());
  if (found == out.manifest.sha256) return std::nullopt;
  return Refusal{Reason::hash, "its sha256 is " + found + ", its manifest pins " +
                                   out.manifest.sha256 + "; install the file again"};
}

Verdict run_checks(const FoundFile& file, const BackendSearchOptions& options, CheckedFile& out) {
  if (auto refusal = check_is_file(out.path, out.identity)) return refusal;
  if (out.name.empty()) {
    return Refusal{Reason::name_mismatch,
                   "is not named like a backend; name the file libds4-backend-<name>.so"};
  }
  if (auto refusal = check_rights(file, options, out)) return refusal;
  if (auto refusal = read_manifests(file, out)) return refusal;
  if (!out.manifest.enabled) return std::nullopt;
  return check_content(out);
}

}  // namespace

CheckedFile check_file(const FoundFile& file, const BackendSearchOptions& options) {
  CheckedFile out;
  try {
    out.path = file.path;
    out.name = backend_name_of(file.path);
    out.refusal = run_checks(file, options, out);
  } catch (const std::exception& error) {
    out.refusal = Refusal{Reason::not_a_file, std::string("cannot be checked: ") + error.what()};
  }
  return out;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (::EVP_Digest(bytes.data(), bytes.size(), digest, &length, ::EVP_sha256(), nullptr) != 1) {
    return {};
  }
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < length; ++i) {
    out += digits[digest[i] >> 4];
    out += digits[digest[i] & 15];
  }
  return out;
}

}  // namespace ds4::plugins
