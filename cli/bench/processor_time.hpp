#pragma once

namespace ds4::bench {

/// Seconds of processor time that the calling thread has had. On a machine that does other work it
/// says more than the clock: what others took is not in it, waiting for memory is.
[[nodiscard]] double thread_seconds() noexcept;

}  // namespace ds4::bench
