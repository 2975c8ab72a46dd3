#include "inspect/read_through.hpp"

#include <algorithm>

namespace ds4::inspect {

Result<void> read_through(const GgufFile& file, std::span<const std::byte> bytes,
                          const std::function<bool(std::span<const std::byte>)>& take) {
  while (!bytes.empty()) {
    if (!file.unchanged()) {
      return fail(Errc::io, file.name(), ": the file changed its size while it was read");
    }
    const auto piece = bytes.first(std::min<std::uint64_t>(kPieceBytes, bytes.size()));
    const bool goes_on = take(piece);
    file.release(piece);
    if (!goes_on) return {};
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

}  // namespace ds4::inspect
