#include "loader/manifest.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <exception>

namespace ds4::plugins {
namespace {

namespace json = boost::json;

bool is_sha256(std::string_view text) noexcept {
  if (text.size() != 64) return false;
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_file_name(std::string_view text) noexcept {
  return !text.empty() && text != "." && text != ".." &&
         text.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

Error expected(std::string_view key, std::string_view what) {
  return fail(Errc::bad_file, "key \"", key, "\": expected ", what);
}

Result<void> read_options(const json::value& value, BackendOptions& out) {
  if (!value.is_object()) return expected("options", "an object of texts");
  for (const auto& entry : value.get_object()) {
    if (!entry.value().is_string()) return expected("options", "an object of texts");
    out.insert_or_assign(std::string(entry.key()), std::string(entry.value().get_string()));
  }
  return {};
}

Result<void> read_key(std::string_view key, const json::value& value, Manifest& out) {
  if (key == "format") {
    if (!value.is_int64() || value.get_int64() != 1) return expected(key, "1");
  } else if (key == "library") {
    if (!value.is_string() || !is_file_name(value.get_string())) {
      return expected(key, "the name of a file in the same directory, without a slash");
    }
    out.library = std::string(value.get_string());
  } else if (key == "sha256") {
    if (!value.is_string() || !is_sha256(value.get_string())) {
      return expected(key, "64 lower-case hexadecimal digits");
    }
    out.sha256 = std::string(value.get_string());
  } else if (key == "enabled") {
    if (!value.is_bool()) return expected(key, "true or false");
    out.enabled = value.get_bool();
  } else if (key == "options") {
    return read_options(value, out.options);
  } else if (key == "note") {
    if (!value.is_string()) return expected(key, "a text");
    out.note = std::string(value.get_string());
  } else {
    out.warnings.push_back("manifest: unknown key \"" + std::string(key) + "\"");
  }
  return {};
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kManifestLimitBytes) {
    return fail(Errc::bad_file, "has ", text.size(), " bytes, at most ", kManifestLimitBytes,
                " are read");
  }
  try {
    boost::system::error_code code;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), code);
    if (code) return fail(Errc::bad_file, "is not JSON: ", code.message());
    if (!value.is_object()) return fail(Errc::bad_file, "is no JSON object");
    if (!value.get_object().contains("format")) return expected("format", "1");
    Manifest out;
    for (const auto& entry : value.get_object()) {
      DS4_CHECK(read_key(entry.key(), entry.value(), out));
    }
    return out;
  } catch (const std::exception& error) {
    return fail(Errc::bad_file, "cannot be read: ", error.what());
  }
}

std::string manifest_file_name(std::string_view name) {
  return std::string(name) + ".ds4-backend.json";
}

}  // namespace ds4::plugins
