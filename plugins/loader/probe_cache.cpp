// Probe reports kept between starts. Only successes are kept: what failed is tried again.
#include <sys/utsname.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <exception>
#include <fstream>
#include <span>
#include <sstream>
#include <system_error>

#include "base/mapped_file.hpp"
#include "base/new_file.hpp"
#include "loader/probe.hpp"

namespace ds4::plugins {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kLimitBytes = 1 << 20;
constexpr std::size_t kMostEntries = 256;

std::string describe_system() {
  utsname names{};
  std::string out = ::uname(&names) == 0 ? names.release : "";
  std::ifstream driver("/proc/driver/nvidia/version");
  std::string line;
  if (std::getline(driver, line)) out += " " + line;
  return out;
}

std::string key_of(const std::filesystem::path& file, const FileIdentity& identity) {
  std::ostringstream out;
  out << identity.device << ':' << identity.inode << ':' << identity.bytes << ':'
      << identity.modified_ns << ':' << file.string();
  return out.str();
}

std::string_view text_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string_view(value->get_string());
}

}  // namespace

ProbeCache::ProbeCache(std::filesystem::path directory) : directory_(std::move(directory)) {
  if (directory_.empty()) return;
  try {
    system_ = describe_system();
    const auto file = MappedFile::open(directory_ / "probe.json");
    if (!file || file->bytes().size() > kLimitBytes) return;
    boost::system::error_code code;
    const json::value value =
        json::parse(json::string_view(reinterpret_cast<const char*>(file->bytes().data()),
                                      file->bytes().size()),
                    code);
    if (code || !value.is_object() || text_of(value.get_object(), "system") != system_) return;
    const json::value* entries = value.get_object().if_contains("entries");
    if (entries == nullptr || !entries->is_array()) return;
    for (const json::value& entry : entries->get_array()) {
      if (!entry.is_object()) return;
      auto report = probe_from_json(text_of(entry.get_object(), "report"));
      if (report && !report->refusal) {
        entries_.push_back({std::string(text_of(entry.get_object(), "key")), *report});
      }
    }
  } catch (const std::exception&) {
    entries_.clear();  // a hint that cannot be read is no hint
  }
}

std::optional<ProbeReport> ProbeCache::find(const std::filesystem::path& file,
                                            const FileIdentity& identity) const {
  const std::string key = key_of(file, identity);
  for (const Entry& entry : entries_) {
    if (entry.key == key) return entry.report;
  }
  return std::nullopt;
}

void ProbeCache::put(const std::filesystem::path& file, const FileIdentity& identity,
                     const ProbeReport& report) {
  if (directory_.empty() || report.refusal) return;
  const std::string key = key_of(file, identity);
  const auto known = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (known != entries_.end()) {
    known->report = report;
  } else {
    if (entries_.size() == kMostEntries) entries_.erase(entries_.begin());
    entries_.push_back({key, report});
  }
  dirty_ = true;
}

void ProbeCache::save() const noexcept {
  if (!dirty_) return;
  try {
    json::array entries;
    for (const Entry& entry : entries_) {
      entries.push_back({{"key", entry.key}, {"report", probe_to_json(entry.report)}});
    }
    const json::object object{{"system", system_}, {"entries", std::move(entries)}};
    std::error_code code;
    std::filesystem::create_directories(directory_, code);
    auto file = NewFile::create(directory_ / "probe.json", NewFile::Access::owner_only);
    const std::string text = json::serialize(object);
    // Without the hint the next start takes longer; nothing else depends on it.
    if (!file || !file->write(std::as_bytes(std::span(text))) || !file->finish()) return;
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace ds4::plugins
