// The backends as a table for people and as JSON for machines.
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "loader/clean_text.hpp"
#include "registry/registry.hpp"
#include "registry/selection.hpp"

namespace ds4::plugins {

std::uint32_t Candidate::best_score() const noexcept {
  std::uint32_t best = 0;
  for (const CandidateDevice& device : devices) best = std::max(best, device.score);
  return best;
}

std::string_view state_name(CandidateState state) noexcept {
  switch (state) {
    case CandidateState::usable:
      return "usable";
    case CandidateState::no_device:
      return "no device";
    case CandidateState::refused:
      return "refused";
    case CandidateState::shadowed:
      return "shadowed";
    case CandidateState::disabled:
      return "disabled";
  }
  return "";
}

namespace {

namespace json = boost::json;

using Row = std::array<std::string, 5>;

/// The devices that requests stand for; a request that stands for none marks none.
struct Choices {
  std::vector<Choice> list;

  void add(std::span<const Candidate> candidates, std::string_view request) {
    const auto parsed = parse_backend_request(request);
    if (!parsed) return;
    if (const auto choice = choose(candidates, *parsed)) list.push_back(*choice);
  }
  [[nodiscard]] bool has(std::size_t candidate, std::uint32_t device) const {
    return std::any_of(list.begin(), list.end(), [=](const Choice& choice) {
      return choice.candidate == candidate && choice.device == device;
    });
  }
};

std::string device_text(const CandidateDevice& device) {
  if (device.architecture.empty()) return device.name;
  return device.name + " (" + device.architecture + ")";
}

/// The rows of a usable candidate: one a device.
void add_devices(const Candidate& candidate, std::size_t index, const Choices& chosen,
                 std::vector<Row>& rows) {
  const bool several = candidate.devices.size() > 1;
  for (std::uint32_t d = 0; d < candidate.devices.size(); ++d) {
    const CandidateDevice& device = candidate.devices[d];
    const bool is_chosen = chosen.has(index, d);
    std::string last = candidate.path.string();
    if (!device.reason.empty()) last = device.reason + " (" + last + ")";
    if (!candidate.remark.empty() && d == 0) last += "; " + candidate.remark;
    rows.push_back({several ? candidate.name + ":" + std::to_string(d) : candidate.name,
                    is_chosen           ? "selected"
                    : device.score == 0 ? "no device"
                                        : "usable",
                    std::to_string(device.score), device_text(device), std::move(last)});
  }
}

std::vector<Row> rows_of(std::span<const Candidate> candidates, const Choices& chosen,
                         const BackendRequest* only) {
  std::vector<Row> rows = {{"BACKEND", "STATE", "SCORE", "DEVICE", "FILE / REASON"}};
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (only != nullptr && !is_named_by(candidate, candidates, *only)) continue;
    if (candidate.state == CandidateState::usable) {
      add_devices(candidate, i, chosen, rows);
      continue;
    }
    const bool has_score = candidate.state == CandidateState::no_device;
    rows.push_back({candidate.name, std::string(state_name(candidate.state)), has_score ? "0" : "-",
                    candidate.devices.empty() ? "-" : device_text(candidate.devices.front()),
                    describe_refusal(candidate)});
  }
  return rows;
}

std::string table_of(const std::vector<Row>& rows) {
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  constexpr std::size_t kScoreColumn = 2;
  std::string out;
  for (const Row& row : rows) {
    for (std::size_t c = 0; c + 1 < row.size(); ++c) {
      const std::string padding(widths[c] - row[c].size(), ' ');
      out += c == kScoreColumn ? padding + row[c] : row[c] + padding;
      out += "  ";
    }
    out += row.back() + "\n";
  }
  return out;
}

json::string text(std::string_view value) {
  const std::string clean = clean_text(value);
  return json::string(json::string_view(clean.data(), clean.size()));
}

json::value json_of(const Candidate& candidate, std::size_t index, const Choices& chosen) {
  json::array devices;
  for (std::uint32_t d = 0; d < candidate.devices.size(); ++d) {
    const CandidateDevice& device = candidate.devices[d];
    devices.push_back({{"index", d},
                       {"name", text(device.name)},
                       {"architecture", text(device.architecture)},
                       {"unique_id", text(device.unique_id)},
                       {"score", device.score},
                       {"reason", text(device.reason)},
                       {"selected", chosen.has(index, d)}});
  }
  const bool has_reason =
      candidate.state == CandidateState::refused || candidate.state == CandidateState::no_device;
  const bool has_note = !candidate.note.name.empty();
  return {{"name", text(candidate.name)},
          {"state", text(state_name(candidate.state))},
          {"path", text(candidate.path.string())},
          {"place", text(place_name(candidate.place))},
          {"reason", has_reason ? text(reason_name(candidate.refusal.reason)) : text("")},
          {"text", has_reason ? text(candidate.refusal.text) : text("")},
          {"remark", text(candidate.remark)},
          {"abi", has_note ? text(std::to_string(candidate.note.abi_major) + "." +
                                  std::to_string(candidate.note.abi_minor_needed))
                           : text("")},
          {"version", text(candidate.note.version)},
          {"vendor", text(candidate.note.vendor)},
          {"build", text(candidate.build)},
          {"devices", std::move(devices)}};
}

std::string json_listing(std::span<const Candidate> candidates,
                         std::span<const SearchedDirectory> directories, const Choices& chosen) {
  json::array backends;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    backends.push_back(json_of(candidates[i], i, chosen));
  }
  json::array searched;
  for (const SearchedDirectory& directory : directories) {
    searched.push_back({{"path", text(directory.path.string())},
                        {"place", text(place_name(directory.place))},
                        {"skipped", text(directory.skipped)}});
  }
  const json::object object{{"backends", std::move(backends)},
                            {"directories", std::move(searched)}};
  return json::serialize(object) + "\n";
}

}  // namespace

std::string Registry::listing(ListingStyle style, std::string_view request) const {
  const std::string one(request);
  return listing(style, std::span(&one, 1));
}

std::string Registry::listing(ListingStyle style, std::span<const std::string> requests) const {
  Choices chosen;
  for (const std::string& request : requests) chosen.add(candidates_, request);
  if (style == ListingStyle::json) return json_listing(candidates_, directories_, chosen);
  std::string out = table_of(rows_of(candidates_, chosen, nullptr));
  if (style == ListingStyle::table) return out;
  out += "\nDIRECTORIES, in the order of the search\n";
  for (const SearchedDirectory& directory : directories_) {
    out += directory.path.string() + " (" + std::string(place_name(directory.place)) +
           "): " + (directory.skipped.empty() ? "searched" : "skipped: " + directory.skipped) +
           "\n";
  }
  return out;
}

std::string Registry::listing_of(std::string_view request) const {
  const auto parsed = parse_backend_request(request);
  if (!parsed) return {};
  Choices chosen;
  chosen.add(candidates_, request);
  return table_of(rows_of(candidates_, chosen, &*parsed));
}

}  // namespace ds4::plugins
