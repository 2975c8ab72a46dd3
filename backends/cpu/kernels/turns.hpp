/// Rotation of one position at a time, on each thread: frequencies once an op, cosines and sines
/// once a position, in double; what they turn is f32.
#pragma once

#include "cpu-common/context.hpp"
#include "cpu-common/rope.hpp"

namespace ds4::fast {

struct Turns {
  float* frequencies;
  double* cosines;
  double* sines;

  Turns(cpu::Arena& local, const ds4_rope& rope)
      : frequencies(local.take<float>(rope.dims / 2)),
        cosines(local.take<double>(rope.dims / 2)),
        sines(local.take<double>(rope.dims / 2)) {}

  void begin(const ds4_rope& rope) const noexcept { cpu::rope_frequencies(rope, frequencies); }
  void at(const ds4_rope& rope, std::int32_t position) const noexcept {
    cpu::rope_turns(rope, frequencies, position, cosines, sines);
  }
  void rotate(const ds4_rope& rope, float* values, std::uint32_t width) const noexcept {
    cpu::rotate_tail(rope, cosines, sines, values, width);
  }
};

}  // namespace ds4::fast
