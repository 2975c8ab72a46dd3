// Runs a fuzz target over files and folders, and over simple mutations of each: every truncation
// of the first kilobytes and every byte of them changed once. Deterministic, for compilers without
// libFuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMutatedBytes = 4096;

Bytes read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The copy has exactly its size, so that a read beyond the end is seen by sanitizers.
void run(const std::uint8_t* data, std::size_t size) {
  const Bytes exact(data, data + size);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void replay(const fs::path& path) {
  Bytes bytes = read(path);
  run(bytes.data(), bytes.size());
  const std::size_t reach = std::min(bytes.size(), kMutatedBytes);
  for (std::size_t size = 0; size < reach; ++size) run(bytes.data(), size);
  for (std::size_t at = 0; at < reach; ++at) {
    const std::uint8_t original = bytes[at];
    for (const unsigned value : {0U, 255U, original ^ 1U, original ^ 128U}) {
      bytes[at] = static_cast<std::uint8_t>(value);
      run(bytes.data(), bytes.size());
    }
    bytes[at] = original;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    if (fs::is_directory(argv[i])) {
      for (const fs::directory_entry& entry : fs::directory_iterator(argv[i])) {
        replay(entry.path());
        ++files;
      }
    } else {
      replay(argv[i]);
      ++files;
    }
  }
  std::cout << "replayed " << files << " files\n";
  return files == 0 ? 1 : 0;
}
