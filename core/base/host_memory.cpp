#include "base/host_memory.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace ds4 {
namespace {

namespace fs = std::filesystem;

// Version 1 writes the largest page-aligned number for "no limit"; no machine comes near this.
constexpr std::uint64_t kUnlimited = 1ULL << 60;

std::optional<std::uint64_t> parse(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<std::uint64_t> read_number(const fs::path& path) {
  return parse(read_text(path));
}

/// The number behind `key` at the start of a line: "MemAvailable:  123 kB", "total_rss 123".
std::optional<std::uint64_t> field(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::string_view rest = std::string_view(line).substr(key.size());
    if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t')) continue;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return parse(rest);
  }
  return std::nullopt;
}

/// How one version of the controller names its files.
struct Names {
  const char* limit;
  const char* usage;
  const char* inactive_file;
  const char* active_file;
};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file", "total_active_file"};
constexpr Names kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

struct Controller {
  Names names;
  std::string mount_root;   // of the hierarchy, what is mounted
  std::string mount_point;  // where
  std::string group;        // of this process, in the hierarchy
};

std::string unescape(std::string_view text) {
  // mountinfo writes blanks as \040 and the like.
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      unsigned value = 0;
      const char* const first = text.data() + i + 1;
      const auto [end, error] = std::from_chars(first, first + 3, value, 8);
      if (error == std::errc{} && end == first + 3 && value < 256) {
        out.push_back(static_cast<char>(value));
        i += 3;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

bool lists(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::size_t comma = std::min(options.find(','), options.size());
    if (options.substr(0, comma) == wanted) return true;
    options.remove_prefix(std::min(comma + 1, options.size()));
  }
  return false;
}

/// The groups of this process by controller list: "memory" and so on for version 1, "" for 2.
std::map<std::string, std::string> read_groups(const fs::path& root) {
  std::map<std::string, std::string> groups;
  std::istringstream lines(read_text(root / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    if (first == std::string::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() && !line.starts_with("0:")) continue;
    if (!controllers.empty() && !lists(controllers, "memory")) continue;
    groups[controllers.empty() ? "" : "memory"] = line.substr(second + 1);
  }
  return groups;
}

std::vector<Controller> read_controllers(const fs::path& root) {
  const auto groups = read_groups(root);
  std::vector<Controller> out;
  std::istringstream lines(read_text(root / "proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    // id parent major:minor root mount-point options [fields] - type source super-options
    std::istringstream words(line);
    const std::vector<std::string> parts{std::istream_iterator<std::string>(words), {}};
    const auto dash = std::find(parts.begin(), parts.end(), "-");
    if (parts.size() < 6 || parts.end() - dash < 4) continue;
    const bool is_v2 = dash[1] == "cgroup2";
    const bool is_v1 = dash[1] == "cgroup" && lists(dash[3], "memory");
    const auto group = groups.find(is_v2 ? "" : "memory");
    if ((!is_v1 && !is_v2) || group == groups.end()) continue;
    out.push_back(
        {is_v2 ? kVersion2 : kVersion1, unescape(parts[3]), unescape(parts[4]), group->second});
  }
  return out;
}

/// The part of a group's path below what is mounted; empty when that is the group itself. In a
/// container the path may name places outside of the mount: then the mount is all there is to see.
std::string below_mount(const Controller& controller) {
  std::string_view group = controller.group;
  std::string_view root = controller.mount_root;
  if (root == "/") root = "";
  if (group.find("/..") != std::string_view::npos) return "";
  if (!group.starts_with(root)) return "";
  group.remove_prefix(root.size());
  if (!group.empty() && group.front() != '/') return "";
  return group == "/" ? "" : std::string(group);
}

void add_bound(const fs::path& folder, const std::string& name, const Names& names,
               std::vector<MemoryBound>& out) {
  std::uint64_t limit = read_number(folder / names.limit).value_or(kUnlimited);
  const std::string stat = read_text(folder / "memory.stat");
  limit = std::min(limit, field(stat, "hierarchical_memory_limit").value_or(kUnlimited));
  if (limit >= kUnlimited) return;
  const std::uint64_t usage = read_number(folder / names.usage).value_or(0);
  const std::uint64_t files =
      field(stat, names.inactive_file).value_or(0) + field(stat, names.active_file).value_or(0);
  const std::uint64_t held = usage - std::min(usage, files);
  out.push_back({"cgroup " + name, limit, limit - std::min(limit, held)});
}

}  // namespace

const MemoryBound* HostMemory::tightest() const noexcept {
  const auto least = std::min_element(
      bounds.begin(), bounds.end(),
      [](const MemoryBound& a, const MemoryBound& b) { return a.available < b.available; });
  return least == bounds.end() ? nullptr : &*least;
}

HostMemory read_host_memory(const fs::path& root) {
  HostMemory memory;
  const std::string info = read_text(root / "proc/meminfo");
  if (const auto available = field(info, "MemAvailable:")) {
    const std::uint64_t total = field(info, "MemTotal:").value_or(*available);
    memory.bounds.push_back({"MemAvailable", total * 1024, *available * 1024});
  }
  for (const Controller& controller : read_controllers(root)) {
    const fs::path mount = root / fs::path(controller.mount_point).relative_path();
    std::string group = below_mount(controller);
    for (;;) {
      add_bound(mount / fs::path(group).relative_path(), group.empty() ? "/" : group,
                controller.names, memory.bounds);
      if (group.empty()) break;
      group.erase(group.rfind('/'));
    }
  }
  return memory;
}

}  // namespace ds4
