// Text of a would-be manifest.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "loader/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = ds4::plugins::parse_manifest(text);
  // Whatever was accepted names a file of its own directory only.
  if (manifest && manifest->library.find('/') != std::string::npos) __builtin_trap();
  return 0;
}
