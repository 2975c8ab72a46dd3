#include "bench/option_values.hpp"

#include <filesystem>
#include <system_error>

#include "common/numbers.hpp"

namespace ds4::bench {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

/// A device or a pipe takes what more than one writes.
bool takes_all(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

bool is_same(const std::string& a, const std::string& b) {
  std::error_code ignored;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  const auto plain = [&ignored](const std::string& path) {
    return std::filesystem::absolute(path, ignored).lexically_normal();
  };
  return plain(a) == plain(b);
}

}  // namespace

cli::OptionTable::Take store_name(std::string& target) {
  return [&target](const std::string& text) -> Result<void> {
    if (text.empty()) return fail(Errc::invalid_argument, "expected a name");
    target = text;
    return {};
  };
}

cli::OptionTable::Take store_mebibytes(std::uint64_t& target, std::uint64_t low) {
  return [&target, low](const std::string& text) -> Result<void> {
    DS4_TRY(const std::uint64_t mib, cli::parse_integer(text, low, 1 << 20));
    target = mib * kMebi;
    return {};
  };
}

Result<void> check_files_differ(std::initializer_list<NamedFile> files) {
  for (const NamedFile& a : files) {
    if (a.path.empty() || a.is_read || takes_all(a.path)) continue;
    for (const NamedFile& b : files) {
      // Of two that are written, each pair once.
      if (&b == &a || b.path.empty() || (!b.is_read && &b > &a)) continue;
      if (!is_same(a.path, b.path)) continue;
      return fail(Errc::invalid_argument, b.option, " and ", a.option, " name the same file");
    }
  }
  return {};
}

std::string facts_path(const std::string& csv) {
  return csv.empty() ? csv : csv + ".meta.json";
}

}  // namespace ds4::bench
