// What a probing process printed: read, and written again without loss. A process that dies may
// have printed anything.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "loader/probe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ds4::plugins;
  const auto report = probe_from_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!report) return 0;
  const std::string text = probe_to_json(*report);
  const auto again = probe_from_json(text);
  if (!again || probe_to_json(*again) != text) __builtin_trap();
  return 0;
}
