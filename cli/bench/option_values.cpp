#include "bench/option_values.hpp"

#include <filesystem>
#include <system_error>

#include "common/numbers.hpp"

namespace ds4::bench {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

std::filesystem::path plain(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path whole = std::filesystem::absolute(path, failed);
  return (failed ? std::filesystem::path(path) : whole).lexically_normal();
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
    if (a.path.empty() || plain(a.path).native().starts_with("/dev/")) continue;
    for (const NamedFile* b = files.begin(); b != &a; ++b) {
      if (b->path.empty() || plain(a.path) != plain(b->path)) continue;
      return fail(Errc::invalid_argument, b->option, " and ", a.option, " name the same file");
    }
  }
  return {};
}

std::string facts_path(const std::string& csv) {
  return csv.empty() ? csv : csv + ".meta.json";
}

}  // namespace ds4::bench
