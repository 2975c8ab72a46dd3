#pragma once

namespace ds4::fast {

/// Whether this processor's tile registers give the products that they should. Only where the level
/// is otherwise usable. Apart from panels.hpp, which is not the same at every level: what detects
/// levels is compiled for none.
bool tiles_are_right() noexcept;

}  // namespace ds4::fast
