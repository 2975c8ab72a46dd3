#include "tokenizer/byte_mapping.hpp"

#include <array>

#include "tokenizer/utf8.hpp"

namespace ds4 {
namespace {

// Bytes that are printable in Latin-1 stand for themselves.
constexpr bool maps_to_itself(unsigned byte) noexcept {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Tables {
  std::array<char16_t, 256> forward{};
  std::array<std::int16_t, 324> inverse{};
};

constexpr Tables make_tables() noexcept {
  Tables out;
  out.inverse.fill(-1);
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const unsigned code = maps_to_itself(byte) ? byte : next++;
    out.forward[byte] = static_cast<char16_t>(code);
    out.inverse[code] = static_cast<std::int16_t>(byte);
  }
  return out;
}

constexpr Tables kTables = make_tables();
static_assert(kTables.forward[0x00] == 0x100 && kTables.forward[0x20] == 0x120);
static_assert(kTables.forward[0x0A] == 0x10A && kTables.forward[0x7F] == 0x121);
static_assert(kTables.forward[0xAD] == 0x143 && kTables.inverse[323] == 0xAD);

}  // namespace

char32_t mapped_code_point(std::uint8_t byte) noexcept {
  return kTables.forward[byte];
}

std::optional<std::string> unmap_bytes(std::string_view mapped) {
  std::string out;
  out.reserve(mapped.size());
  while (!mapped.empty()) {
    const std::size_t length = utf8_sequence_length(mapped);
    if (length == 0) return std::nullopt;
    const char32_t code = utf8_code_point(mapped, length);
    if (code >= kTables.inverse.size() || kTables.inverse[code] < 0) return std::nullopt;
    out.push_back(static_cast<char>(kTables.inverse[code]));
    mapped.remove_prefix(length);
  }
  return out;
}

std::string map_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(out, mapped_code_point(static_cast<std::uint8_t>(c)));
  return out;
}

}  // namespace ds4
