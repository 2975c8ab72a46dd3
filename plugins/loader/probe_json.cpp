// A probe report as one JSON object, and back.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <exception>
#include <limits>

#include "loader/clean_text.hpp"
#include "loader/probe.hpp"

namespace ds4::plugins {
namespace {

namespace json = boost::json;

/// Thrown and caught in this file only: the first key that is not what it should be.
struct Malformed : std::exception {};

const json::value& member(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(json::string_view(key.data(), key.size()));
  if (found == nullptr) throw Malformed();
  return *found;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value& value = member(object, key);
  if (!value.is_string()) throw Malformed();
  return clean_text(std::string_view(value.get_string()));
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
  const json::value& value = member(object, key);
  if (!value.is_int64() || value.get_int64() < 0) throw Malformed();
  return static_cast<std::uint64_t>(value.get_int64());
}

ProbeReport::Device device_of(const json::value& value) {
  if (!value.is_object()) throw Malformed();
  const json::object& object = value.get_object();
  const std::uint64_t score = number_of(object, "score");
  if (score > std::numeric_limits<std::uint32_t>::max()) throw Malformed();
  return {text_of(object, "name"), text_of(object, "architecture"),
          static_cast<std::uint32_t>(score), text_of(object, "reason")};
}

ProbeReport report_of(const json::object& object) {
  if (number_of(object, "format") != 1) throw Malformed();
  ProbeReport out;
  const std::string code = text_of(object, "reason");
  if (!code.empty()) {
    const auto reason = reason_from_name(code);
    if (!reason) throw Malformed();
    out.refusal = Refusal{*reason, text_of(object, "text")};
  }
  out.name = text_of(object, "name");
  out.version = text_of(object, "version");
  out.vendor = text_of(object, "vendor");
  out.build = text_of(object, "build");
  out.open_us = number_of(object, "open_us");
  out.enumerate_us = number_of(object, "enumerate_us");
  const json::value& devices = member(object, "devices");
  if (!devices.is_array()) throw Malformed();
  for (const json::value& device : devices.get_array()) out.devices.push_back(device_of(device));
  return out;
}

}  // namespace

std::string probe_to_json(const ProbeReport& report) {
  json::array devices;
  for (const ProbeReport::Device& device : report.devices) {
    devices.push_back({{"name", clean_text(device.name)},
                       {"architecture", clean_text(device.architecture)},
                       {"score", device.score},
                       {"reason", clean_text(device.reason)}});
  }
  const std::string_view code = report.refusal ? reason_name(report.refusal->reason) : "";
  const json::object object{
      {"format", 1},
      {"reason", json::string_view(code.data(), code.size())},
      {"text", report.refusal ? clean_text(report.refusal->text) : std::string()},
      {"name", clean_text(report.name)},
      {"version", clean_text(report.version)},
      {"vendor", clean_text(report.vendor)},
      {"build", clean_text(report.build)},
      {"devices", std::move(devices)},
      {"open_us", static_cast<std::int64_t>(report.open_us)},
      {"enumerate_us", static_cast<std::int64_t>(report.enumerate_us)}};
  return json::serialize(object);
}

std::optional<ProbeReport> probe_from_json(std::string_view text) {
  try {
    boost::system::error_code code;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), code);
    if (code || !value.is_object()) return std::nullopt;
    return report_of(value.get_object());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace ds4::plugins
