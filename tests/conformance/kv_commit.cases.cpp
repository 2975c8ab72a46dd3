#include <algorithm>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void commit_cases(Suite& suite, std::uint32_t id, std::uint32_t dtype) {
  constexpr std::uint32_t kSlots = 3;  // at least
  for (const std::uint32_t usual : {80U, 112U}) {
    if (suite.is_model() && usual != 112) continue;
    for (const RowCase& rows : suite.rows()) {
      suite.run(
          std::string(view_dtype_name(dtype)) +
              (suite.is_model() ? " of Flash" : " width " + std::to_string(usual)),
          rows, [&](Case& c) {
            const bool is_kv = dtype == DS4_DTYPE_KV_ROW;
            const std::uint32_t width =
                c.size({.usual = usual, .model = is_kv ? 512U : 2048U, .low = 20});
            const std::uint32_t capacity = c.size({.usual = 8, .model = 160, .high = 40});
            const std::uint32_t tail = is_kv ? c.is_model() ? 64 : 16 : 0;
            auto op = c.op<ds4_op_commit>(id);
            const std::uint32_t slots = std::max(kSlots, (rows.rows + capacity - 1) / capacity);
            // Ring positions run on from a random start and wrap; every fourth row skips.
            std::vector<std::int32_t> ids;
            std::vector<bool> written(slots * capacity, false);
            const std::uint32_t start = c.random().below(capacity);
            for (std::uint32_t i = 0; i < rows.rows; ++i) {
              const std::uint32_t slot = i / capacity;
              const std::uint32_t at = slot * capacity + (start + i) % capacity;
              const bool skips = i % 4 == 2;
              ids.push_back(skips ? -1 : static_cast<std::int32_t>(at));
              if (!skips && rows.contains(i)) written[at] = true;
            }
            const Tensor& x = c.input({rows.rows, width});
            const Tensor& ring = c.storage(dtype, {slots, capacity, width}, tail);
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
