#include "engine/memory_kind.hpp"

namespace ds4 {

Result<std::uint32_t> fastest_memory(const plugins::Device& device) {
  for (const std::uint32_t kind :
       {DS4_MEMORY_DEVICE, DS4_MEMORY_UNIFIED, DS4_MEMORY_HOST, DS4_MEMORY_HOST_PINNED}) {
    if (device.memory_kind(kind) != nullptr) return kind;
  }
  return fail(Errc::unsupported, "device ", device.info().name, " names no kind of memory");
}

}  // namespace ds4
