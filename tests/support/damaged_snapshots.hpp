#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ds4::test {

struct DamagedSnapshot {
  std::string what;
  std::vector<std::byte> bytes;
};

/// Files that look more or less like `good`, the snapshot of a session of some hundred tokens, and
/// must be refused: cut short anywhere, single bits changed in every part, and contents that lie
/// under checksums that are right. Written from docs/sessions.md alone.
std::vector<DamagedSnapshot> damaged_snapshots(const std::vector<std::byte>& good);

/// `good` with every stored row made of this byte, checksums right: a file that may be loaded, and
/// whose numbers are worthless.
std::vector<std::byte> with_rows_of(std::byte value, std::vector<std::byte> good);

}  // namespace ds4::test
