#include "registry/placement.hpp"

#include <algorithm>
#include <charconv>

#include "registry/registry.hpp"

namespace ds4::plugins {
namespace {

constexpr const char* kForm =
    "expected ranges of layers and backends, for example 0-20=cuda-spark:0,21-42=cpu, and where "
    "wanted embed=BACKEND and head=BACKEND";

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string layers_text(std::uint32_t first, std::uint32_t last) {
  std::string text = first == last ? "layer " : "layers ";
  text += std::to_string(first);
  if (first != last) text.append("-").append(std::to_string(last));
  return text;
}

std::size_t index_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

Result<PlacementRequest> PlacementRequest::parse(std::string_view text) {
  PlacementRequest out;
  out.text_ = std::string(text);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    DS4_CHECK(out.add(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  DS4_CHECK(out.check_ranges());
  return out;
}

Result<void> PlacementRequest::add(std::string_view part) {
  const std::size_t equals = part.find('=');
  if (part.empty()) return fail(Errc::invalid_argument, "has an empty part; ", kForm);
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == part.size()) {
    return fail(Errc::invalid_argument, "'", part, "': ", kForm);
  }
  const std::string_view what = part.substr(0, equals);
  std::string backend(part.substr(equals + 1));
  if (const auto request = parse_backend_request(backend); !request) {
    return fail(Errc::invalid_argument, "'", part, "': ", backend,
                " is no backend; expected NAME, NAME:device or auto, for example cuda-generic:1");
  }
  if (what == "embed" || what == "head") {
    std::optional<std::string>& target = what == "embed" ? embed_ : head_;
    if (target) return fail(Errc::invalid_argument, what, " is placed twice");
    target = std::move(backend);
    return {};
  }
  const std::size_t dash = what.find('-');
  const auto first = number(what.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(what.substr(dash + 1));
  if (!first || !last) return fail(Errc::invalid_argument, "'", part, "': ", kForm);
  if (*last < *first) {
    return fail(Errc::invalid_argument, "'", part, "': the range ends before it begins");
  }
  ranges_.push_back({*first, *last, std::move(backend)});
  return {};
}

Result<void> PlacementRequest::check_ranges() {
  if (ranges_.empty()) return fail(Errc::invalid_argument, "places no layers; ", kForm);
  std::stable_sort(ranges_.begin(), ranges_.end(),
                   [](const Range& a, const Range& b) { return a.first < b.first; });
  std::uint32_t next = 0;  // the first layer that no range has named
  for (const Range& range : ranges_) {
    if (range.first > next) {
      return fail(Errc::invalid_argument, layers_text(next, range.first - 1),
                  next + 1 == range.first ? " is placed nowhere" : " are placed nowhere");
    }
    if (range.first < next) {
      const std::uint32_t last = std::min(range.last, next - 1);
      return fail(Errc::invalid_argument, layers_text(range.first, last),
                  range.first == last ? " is placed twice" : " are placed twice");
    }
    if (range.last == UINT32_MAX) {
      return fail(Errc::invalid_argument, "no model has a layer ", range.last);
    }
    next = range.last + 1;
  }
  return {};
}

const std::string& PlacementRequest::embed() const {
  return embed_ ? *embed_ : ranges_.front().backend;
}

const std::string& PlacementRequest::head() const {
  return head_ ? *head_ : ranges_.back().backend;
}

std::vector<std::string> PlacementRequest::backends() const {
  std::vector<std::string> out = {embed()};
  const auto add_name = [&out](const std::string& name) {
    if (index_of(out, name) == out.size()) out.push_back(name);
  };
  for (const Range& range : ranges_) add_name(range.backend);
  add_name(head());
  return out;
}

Result<PlacementRequest::Assignment> PlacementRequest::for_layers(std::uint32_t layers) const {
  const std::uint32_t named = ranges_.back().last + 1;
  if (named != layers) {
    const bool is_short = named < layers;
    const std::uint32_t first = is_short ? named : layers;
    const std::uint32_t last = is_short ? layers - 1 : named - 1;
    return fail(Errc::invalid_argument, "the model has layers 0-", layers - 1, ": ",
                layers_text(first, last), first == last ? " is " : " are ",
                is_short ? "placed nowhere" : "not in it");
  }
  const std::vector<std::string> names = backends();
  Assignment out;
  out.embed = index_of(names, embed());
  for (const Range& range : ranges_) {
    out.layers.insert(out.layers.end(), range.last - range.first + 1,
                      index_of(names, range.backend));
  }
  out.head = index_of(names, head());
  return out;
}

}  // namespace ds4::plugins
