#include <algorithm>
#include <limits>

#include "tests/conformance/cases.hpp"

/// Required ops that move values by ids, each against a loop of its own: ties, -1, NaN, -inf.
namespace ds4::conformance {

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<std::int32_t> random_ids(Case& c, std::uint32_t count, std::uint32_t limit) {
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < count; ++i) {
    ids.push_back(i % 5 == 1 ? -1 : static_cast<std::int32_t>(c.random().below(limit)));
  }
  return ids;
}

/// A row of ties, NaN and infinities. Any row but one of whose best values all are NaN: those agree
/// with whatever is NaN.
void append_choices(Case& c, std::uint32_t width, std::vector<float>& values) {
  constexpr float kChoices[] = {1, -2, kNan, -kInf, 1, 0, kInf};
  const std::size_t begin = values.size();
  const auto is_number = [](float v) { return v > -kInf; };
  do {
    values.resize(begin);
    for (std::uint32_t i = 0; i < width; ++i) values.push_back(kChoices[c.random().below(7)]);
  } while (
      std::none_of(values.begin() + static_cast<std::ptrdiff_t>(begin), values.end(), is_number));
}

std::vector<double> wide(std::span<const float> x) {
  return {x.begin(), x.end()};
}

}  // namespace

void topk_cases(Suite& suite) {
  for (const bool is_ascending : {false, true}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(is_ascending ? "ascending ids" : "descending values", rows, [&](Case& c) {
        const std::uint32_t width = c.extent(9);
        const std::uint32_t chosen_count = c.extent(6, 1, 1, 64);
        auto op = c.op<ds4_op_topk>(DS4_OP_TOPK, is_ascending ? DS4_TOPK_ASCENDING_IDS : 0);
        std::vector<float> values;
        for (std::uint32_t row = 0; row < rows.rows; ++row) append_choices(c, width, values);
        const Tensor& x = c.floats({rows.rows, width}, values);
        const Tensor& ids = c.output(DS4_DTYPE_I32, {chosen_count});
        const Tensor& best = c.output(DS4_DTYPE_F32, {chosen_count});
        op.x = x.view;
        op.ids = ids.view;
        op.values = best.view;
        const auto chosen = [&](std::size_t row) {
          auto result = largest(x.vector(row), chosen_count);
          if (is_ascending) std::sort(result.begin(), std::find(result.begin(), result.end(), -1));
          return result;
        };
        const auto taken = [&](std::size_t row) {
          Estimate result;
          for (const std::int32_t id : chosen(row)) {
            const float value = id < 0 ? -kInf : x.vector(row)[static_cast<std::size_t>(id)];
            append(result, {{static_cast<double>(value)}, {0}});
          }
          return result;
        };
        c.compare(op.op, {{.name = "ids", .tensor = &ids, .ids = chosen},
                          {.name = "values", .tensor = &best, .expected = taken}});
      });
    }
  }
}

void gather_rows_cases(Suite& suite) {
  for (const std::uint32_t dtype :
       {DS4_DTYPE_F32, DS4_DTYPE_F16, DS4_DTYPE_BF16, DS4_DTYPE_KV_ROW, DS4_DTYPE_INDEX_ROW}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(std::string(view_dtype_name(dtype)), rows, [&](Case& c) {
        constexpr std::uint32_t kWidth = 64;
        auto op = c.op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS);
        const Tensor& x = c.encoded(dtype, {7, kWidth}, dtype == DS4_DTYPE_KV_ROW ? 16 : 0);
        const auto ids = random_ids(c, rows.rows, 7);
        const Tensor& y = c.output(DS4_DTYPE_F32, {kWidth});
        op.x = x.view;
        op.ids = c.ints({rows.rows}, ids).view;
        op.y = y.view;
        op.fill = -2.5;
        const auto expected = [&](std::size_t row) {
          const std::int32_t id = ids[row];
          std::vector<double> value(kWidth, op.fill);
          if (id >= 0) value = wide(x.vector(static_cast<std::size_t>(id)));
          return Estimate{value, std::vector<double>(kWidth, 0)};
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void scatter_rows_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("f32", rows, [&](Case& c) {
      const std::uint32_t width = c.extent(24);
      const std::uint32_t stored = rows.rows + 3;
      auto op = c.op<ds4_op_scatter_rows>(DS4_OP_SCATTER_ROWS);
      const Tensor& x = c.input({rows.rows, width});
      const Tensor& y = c.storage(DS4_DTYPE_F32, {stored, width});
      std::vector<std::int32_t> ids;
      std::vector<std::ptrdiff_t> source(stored, -1);
      for (std::uint32_t i = 0; i < rows.rows; ++i) {
        const std::uint32_t at = stored - 1 - i;
        ids.push_back(i % 3 == 1 ? -1 : static_cast<std::int32_t>(at));
        if (i % 3 != 1 && rows.contains(i)) source[at] = i;
      }
      op.x = x.view;
      op.ids = c.ints({rows.rows}, ids).view;
      op.y = y.view;
      Check check{.name = "y", .tensor = &y};
      check.expected = [&](std::size_t row) {
        return exact(x.vector(static_cast<std::size_t>(source[row])));
      };
      check.written = [&](std::size_t row) { return source[row] >= 0; };
      c.compare(op.op, {check});
    });
  }
}

void page_rows_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("pages of 4", rows, [&](Case& c) {
      constexpr std::uint32_t kPageRows = 4;
      constexpr std::uint32_t kPages = 3;
      constexpr std::uint32_t kListed = 5;
      auto op = c.op<ds4_op_page_rows>(DS4_OP_PAGE_ROWS);
      const auto ids = random_ids(c, rows.rows * kListed, kPages * kPageRows);
      const std::vector<std::int32_t> table{4, 0, 2, 5, 3, 1};
      std::vector<std::int32_t> slots;
      for (std::uint32_t i = 0; i < rows.rows; ++i) {
        slots.push_back(static_cast<std::int32_t>(c.random().below(2)));
      }
      const Tensor& physical = c.output(DS4_DTYPE_I32, {kListed});
      op.ids = c.ints({rows.rows, kListed}, ids).view;
      op.slot = c.ints({rows.rows}, slots).view;
      op.table = c.ints({2, kPages}, table).view;
      op.physical = physical.view;
      op.page_rows = kPageRows;
      const auto expected = [&](std::size_t row) {
        std::vector<std::int32_t> result;
        for (std::size_t k = 0; k < kListed; ++k) {
          const std::int32_t id = ids[row * kListed + k];
          const auto page = static_cast<std::size_t>(slots[row] * 3 + id / 4);
          result.push_back(id < 0 ? -1 : table[page] * 4 + id % 4);
        }
        return result;
      };
      c.compare(op.op, {{.name = "physical", .tensor = &physical, .ids = expected}});
    });
  }
}

void resolve_tokens_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("some sampled", rows, [&](Case& c) {
      auto op = c.op<ds4_op_resolve_tokens>(DS4_OP_RESOLVE_TOKENS);
      const std::vector<std::int32_t> sampled{31, 7, 19};
      std::vector<std::int32_t> tokens;
      for (std::uint32_t i = 0; i < rows.rows; ++i) {
        tokens.push_back(static_cast<std::int32_t>(c.random().below(6)) - 3);
      }
      const Tensor& y = c.output(DS4_DTYPE_I32, {});
      op.tokens = c.ints({rows.rows}, tokens).view;
      op.sampled = c.ints({3}, sampled).view;
      op.y = y.view;
      const auto expected = [&](std::size_t row) {
        const std::int32_t token = tokens[row];
        return std::vector{token >= 0 ? token : sampled[static_cast<std::size_t>(-1 - token)]};
      };
      c.compare(op.op, {{.name = "y", .tensor = &y, .ids = expected}});
    });
  }
}

void take_columns_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("5 of 8", rows, [&](Case& c) {
      const std::uint32_t listed = c.extent(5, 1, 1, 64);
      const std::uint32_t width = c.extent(8);
      auto op = c.op<ds4_op_take_columns>(DS4_OP_TAKE_COLUMNS);
      const Tensor& x = c.input({rows.rows, width});
      const auto ids = random_ids(c, rows.rows * listed, width);
      const Tensor& y = c.output(DS4_DTYPE_F32, {listed});
      op.x = x.view;
      op.ids = c.ints({rows.rows, listed}, ids).view;
      op.y = y.view;
      const auto expected = [&](std::size_t row) {
        Estimate result;
        for (std::size_t k = 0; k < listed; ++k) {
          const std::int32_t id = ids[row * listed + k];
          const float value = id < 0 ? 0 : x.vector(row)[static_cast<std::size_t>(id)];
          append(result, {{static_cast<double>(value)}, {0}});
        }
        return result;
      };
      c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
    });
  }
}

}  // namespace ds4::conformance
