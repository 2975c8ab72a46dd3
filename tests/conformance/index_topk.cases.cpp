#include <algorithm>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void index_topk_cases(Suite& suite) {
  for (const std::uint32_t usual : {1U, 4U, 9U}) {
    if (suite.is_model() && usual != 9) continue;
    const std::uint32_t k = suite.is_model() ? 512 : usual;
    for (const RowCase& rows : suite.rows()) {
      suite.run("top " + std::to_string(k), rows, [&](Case& c) {
        const std::uint32_t entries =
            c.size({.usual = 13, .model = kModelCounts.back(), .low = 10, .high = 200});
        auto op = c.op<ds4_op_index_topk>(DS4_OP_INDEX_TOPK);
        const Tensor& scores = c.ties({rows.rows, entries});
        // Fewer than k, exactly k, all, none.
        std::vector<std::int32_t> counts;
        for (std::uint32_t i = 0; i < rows.rows; ++i) {
          const std::uint32_t choices[] = {entries, k, k - 1, 0, 7};
          const std::uint32_t of_model = kModelCounts[i % kModelCounts.size()];
          counts.push_back(static_cast<std::int32_t>(c.is_model() ? of_model : choices[i % 5]));
        }
        const Tensor& ids = c.output(DS4_DTYPE_I32, {k});
        op.scores = scores.view;
        op.count = c.ints({rows.rows}, counts).view;
        op.ids = ids.view;
        const auto best = [&](std::size_t row) {
          const auto seen = static_cast<std::size_t>(counts[row]);
          auto result = largest(scores.vector(row).first(seen), k);
          const auto end = std::find(result.begin(), result.end(), -1);
          std::sort(result.begin(), end);
          return result;
        };
        c.compare(op.op, {{.name = "ids", .tensor = &ids, .ids = best}});
      });
    }
  }
}

}  // namespace ds4::conformance
