// Any bytes as a GGUF file: parsing, every getter, and opening as a model may fail but not crash.
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "model/model_file.hpp"

namespace {

// Adds up what a reader hands out, so that every byte of every view is touched.
std::size_t touch(std::span<const std::byte> bytes) {
  std::size_t sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<std::size_t>(b);
  return sum;
}

std::size_t read_all_ways(const ds4::GgufFile& file, const ds4::GgufEntry& entry) {
  std::size_t sum = touch(entry.value);
  sum += file.u32(entry.key).ok() ? 1 : 0;
  sum += file.u64(entry.key).ok() ? 1 : 0;
  sum += file.f32(entry.key).ok() ? 1 : 0;
  sum += file.boolean(entry.key).ok() ? 1 : 0;
  sum += file.string(entry.key).ok() ? 1 : 0;
  sum += file.u32_array(entry.key).ok() ? 1 : 0;
  sum += file.i32_array(entry.key).ok() ? 1 : 0;
  sum += file.f32_array(entry.key).ok() ? 1 : 0;
  if (const auto strings = file.string_array(entry.key)) {
    for (const std::string_view text : *strings) {
      sum += touch(std::as_bytes(std::span(text.data(), text.size())));
    }
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto file = ds4::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) return 0;
  std::size_t sum = 0;
  for (const ds4::GgufEntry& entry : file->metadata()) sum += read_all_ways(*file, entry);
  for (const ds4::TensorInfo& tensor : file->tensors()) sum += touch(file->bytes(tensor));
  sum += std::to_integer<std::size_t>(file->header_hash()[0]);
  const auto model = ds4::ModelFile::from(*std::move(file));
  // The sum decides nothing; reading it keeps the loops.
  volatile std::size_t sink = sum + (model.ok() ? 1 : 0);
  static_cast<void>(sink);
  return 0;
}
