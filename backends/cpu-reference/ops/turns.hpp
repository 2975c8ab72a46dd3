/// Scratch for the rotation of one position at a time, on each thread.
#pragma once

#include "common.hpp"
#include "cpu-common/rope.hpp"

namespace ds4::reference {

/// Frequencies are computed by begin(), once an op; the turns of a position by at().
struct Turns {
  float* frequencies;
  double* cosines;
  double* sines;

  Turns(Arena& local, const ds4_rope& rope)
      : frequencies(local.take<float>(rope.dims / 2)),
        cosines(local.take<double>(rope.dims / 2)),
        sines(local.take<double>(rope.dims / 2)) {}

  void begin(const ds4_rope& rope) const noexcept { rope_frequencies(rope, frequencies); }
  void at(const ds4_rope& rope, std::int32_t position) const noexcept {
    rope_turns(rope, frequencies, position, cosines, sines);
  }
  template <class T>
  void rotate(const ds4_rope& rope, T* values, std::uint32_t width) const noexcept {
    rotate_tail(rope, cosines, sines, values, width);
  }
};

}  // namespace ds4::reference
