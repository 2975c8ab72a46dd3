#pragma once

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace ds4 {

/// Threads that signals pass by, since those belong to the main thread: each runs body(its number).
/// Fewer than `count` where the system gives no more, perhaps none.
[[nodiscard]] std::vector<std::thread> start_quiet_threads(
    std::uint32_t count, const std::function<void(std::uint32_t)>& body);

}  // namespace ds4
