/// A small ds4.graph for the faulty backend: a captured submission that runs through enqueue.
#pragma once

#include "ds4/backend.h"

namespace ds4::cpu {

[[nodiscard]] const ds4_graph_api* graph_api() noexcept;

}  // namespace ds4::cpu
