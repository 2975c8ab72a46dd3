#include "common/files.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

namespace ds4::cli {
namespace {

struct Close {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

Result<std::string> read_all(std::FILE* file, std::string_view name) {
  std::string bytes;
  std::array<char, 65536> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) {
    bytes.append(buffer.data(), count);
  }
  if (std::ferror(file) != 0) {
    return fail(Errc::io, "cannot read ", name, ": ", std::strerror(errno));
  }
  return bytes;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) {
    return fail(errno == ENOENT ? Errc::not_found : Errc::io, "cannot read ", path, ": ",
                std::strerror(errno));
  }
  return read_all(file.get(), path);
}

Result<std::string> read_standard_input() {
  return read_all(stdin, "standard input");
}

}  // namespace ds4::cli
