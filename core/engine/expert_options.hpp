#pragma once

#include <cstdint>

namespace ds4 {

/// Whether routed experts stay in memory or come through a cache of some of them.
struct ExpertCacheOptions {
  enum class Mode {
    automatic,  ///< all in memory where they fit, else a cache of what the plan leaves
    fixed,      ///< a cache of `bytes`
    off,        ///< all in memory; a model that does not fit is refused
  };
  Mode mode = Mode::automatic;
  std::uint64_t bytes = 0;  ///< with fixed: of the experts themselves
};

}  // namespace ds4
