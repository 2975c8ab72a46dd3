#include <algorithm>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void commit_cases(Suite& suite, std::uint32_t id, std::uint32_t dtype) {
  constexpr std::uint32_t kSlots = 3;  // at least
  constexpr std::uint32_t kCapacity = 8;
  constexpr std::uint32_t kTail = 16;
  for (const std::uint32_t width : {80U, 112U}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(
          std::string(view_dtype_name(dtype)) + " width " + std::to_string(width), rows,
          [&](Case& c) {
            auto op = c.op<ds4_op_commit>(id);
            const std::uint32_t slots = std::max(kSlots, (rows.rows + kCapacity - 1) / kCapacity);
            // Ring positions run on from a random start and wrap; every fourth row skips.
            std::vector<std::int32_t> ids;
            std::vector<bool> written(slots * kCapacity, false);
            const std::uint32_t start = c.random().below(kCapacity);
            for (std::uint32_t i = 0; i < rows.rows; ++i) {
              const std::uint32_t slot = i / kCapacity;
              const std::uint32_t at = slot * kCapacity + (start + i) % kCapacity;
              const bool skips = i % 4 == 2;
              ids.push_back(skips ? -1 : static_cast<std::int32_t>(at));
              if (!skips && rows.contains(i)) written[at] = true;
            }
            const Tensor& x = c.input({rows.rows, width});
            const Tensor& ring =
                c.storage(dtype, {slots, kCapacity, width}, dtype == DS4_DTYPE_KV_ROW ? kTail : 0);
            op.x = x.view;
            op.ids = c.ints({rows.rows}, ids).view;
            op.y = ring.view;
            c.compare(op.op, {{.name = "ring", .tensor = &ring, .written = [&](std::size_t row) {
                                 return written[row];
                               }}});
          });
    }
  }
}

void kv_commit_cases(Suite& suite) {
  commit_cases(suite, DS4_OP_KV_COMMIT, DS4_DTYPE_KV_ROW);
  commit_cases(suite, DS4_OP_KV_COMMIT, DS4_DTYPE_F32);
}

}  // namespace ds4::conformance
