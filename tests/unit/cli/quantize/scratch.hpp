#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace ds4::test {

/// A folder of its own for one test, removed at the end.
class Scratch {
 public:
  explicit Scratch(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              ("ds4-" + std::string(name) + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Scratch() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  void write(std::string_view file, std::string_view bytes) const {
    std::ofstream out(path_ / file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  std::filesystem::path path_;
};

/// The bytes of a safetensors file with this header text and `data` zero bytes.
inline std::string safetensors_bytes(std::string_view header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::string out(sizeof(length), '\0');
  std::memcpy(out.data(), &length, sizeof(length));
  out.append(header);
  out.append(data, '\0');
  return out;
}

}  // namespace ds4::test
