// Runs a fuzz target over the files of a folder and over seeded mutations of them, for compilers
// and test runs without libFuzzer.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes mutated(Bytes bytes, std::mt19937& random) {
  for (unsigned n = random() % 8 + 1; n > 0; --n) {
    const std::size_t at = random() % (bytes.size() + 1);
    const auto where = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto value = static_cast<std::uint8_t>(random());
    switch (random() % 3) {
      case 0:
        bytes.insert(where, value);
        break;
      case 1:
        if (where != bytes.end()) *where = value;
        break;
      default:
        if (where != bytes.end()) bytes.erase(where);
    }
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::mt19937 random(1);
  std::size_t runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (int round = 0; round < 300; ++round, ++runs) {
      const Bytes changed = mutated(bytes, random);
      LLVMFuzzerTestOneInput(changed.data(), changed.size());
    }
  }
  std::printf("%zu inputs\n", runs);
  return runs > 0 ? 0 : 1;
}
