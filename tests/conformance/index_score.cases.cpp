#include <cmath>
#include <numeric>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kSlots = 2;

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, std::uint32_t key_dtype,
              const ds4_rounding& rounding, bool is_yarn) {
  const std::uint32_t rows = c.rows().rows;
  const std::uint32_t page_rows = c.size({.usual = 4, .model = 64, .high = 9});
  const std::uint32_t pages =
      c.size({.usual = 5, .model = kModelCounts.back() / 64, .low = 2, .high = 12});
  const std::uint32_t entries = pages * page_rows;
  const std::uint32_t heads = c.size({.usual = 4, .model = 64, .high = 9});
  const std::uint32_t dim = c.is_model() ? 128 : 64;  // a power of two
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  const std::uint32_t rank = c.width(dtype, usual_width == 256 ? 256 : 24, 1024);
  auto op = c.op<ds4_op_index_score>(DS4_OP_INDEX_SCORE);
  const Weight& wq_b = c.weight(dtype, DS4_ROLE_MATRIX, {heads * dim, rank}, 0.1);
  const Weight& proj = c.weight(dtype, DS4_ROLE_MATRIX, {heads, width}, 0.1);
  const Tensor& qr = c.input({rows, rank});
  const Tensor& u = c.input({rows, width});
  const Tensor& keys = c.encoded(key_dtype, {kSlots * entries, dim});
  // Pages of the two sessions lie interleaved and in descending order.
  std::vector<std::int32_t> table;
  for (std::uint32_t s = 0; s < kSlots; ++s) {
    for (std::uint32_t p = 0; p < pages; ++p) {
      table.push_back(static_cast<std::int32_t>(kSlots * (pages - 1 - p) + s));
    }
  }
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> counts;
  for (std::uint32_t i = 0; i < rows; ++i) {
    slots.push_back(static_cast<std::int32_t>(c.random().below(kSlots)));
    // None, a full page, one row into the next page, all.
    const std::uint32_t usual[] = {page_rows + 1, 0, entries, page_rows, entries / 2 + 1};
    const std::uint32_t model = kModelCounts[(i + rows) % kModelCounts.size()];
    counts.push_back(static_cast<std::int32_t>(c.is_model() ? model : usual[i % 5]));
  }
  const Tensor& scores = c.output(DS4_DTYPE_F32, {entries});
  op.wq_b = wq_b.handle;
  op.proj = proj.handle;
  op.qr = qr.view;
  op.u = u.view;
  const std::vector<std::int32_t> at = positions(c, rows);
  op.positions = c.ints({rows}, at).view;
  op.keys.kind = DS4_SOURCE_PAGES;
  op.keys.page_rows = page_rows;
  op.keys.rows = keys.view;
  op.keys.count = c.ints({rows}, counts).view;
  op.keys.slot = c.ints({rows}, slots).view;
  op.keys.table = c.ints({kSlots, pages}, table).view;
  op.scores = scores.view;
  op.rope = rope(c.is_model() ? 64 : 16, is_yarn);
  op.rounding = rounding;
  op.heads = heads;
  op.dim = dim;
  op.scale = 1 / std::sqrt(1.0 * heads * dim);

  const double seen_keys = std::accumulate(counts.begin(), counts.end(), 0.0);
  c.add_work(seen_keys * static_cast<double>(view_row_bytes(key_dtype, dim, 0).value_or(0)),
             2 * seen_keys * heads * dim);

  const auto query = [&](std::size_t row, std::uint32_t h) {
    const Estimate raw = product(wq_b, exact(qr.vector(row)), h * dim, dim);
    return rounded(rotated(raw, op.rope, at[row]), op.rounding);
  };
  const auto weights_of = [&](std::size_t row) {
    return scaled(product(proj, exact(u.vector(row))), op.scale);
  };
  const auto expected = [&](std::size_t row) {
    const Estimate weights = weights_of(row);
    const auto slot = static_cast<std::uint32_t>(slots[row]);
    Estimate all{std::vector<double>(entries, 0), std::vector<double>(entries, 0)};
    std::vector<Estimate> queries;
    for (std::uint32_t h = 0; h < heads; ++h) queries.push_back(query(row, h));
    for (std::uint32_t e = 0; e < static_cast<std::uint32_t>(counts[row]); ++e) {
      const auto page = static_cast<std::uint32_t>(table[slot * pages + e / page_rows]);
      const Estimate key = exact(keys.vector(page * page_rows + e % page_rows));
      Estimate products;
      for (std::uint32_t h = 0; h < heads; ++h) append(products, dot(queries[h], key));
      // A product near 0 may be cut on one road only; its error counts in full.
      for (double& value : products.value) value = std::max(value, 0.0);
      const Estimate score = dot(weights, products);
      all.value[e] = score.value[0];
      all.error[e] = score.error[0];
    }
    return all;
  };
  Check check{.name = "scores", .tensor = &scores, .expected = expected};
  check.columns = [&](std::size_t row) { return static_cast<std::size_t>(counts[row]); };
  if (rounding.format != DS4_ROUND_NONE) {
    // One code of one query changes: half of the largest value at most, times key and weight.
    const double key_max = max_abs(keys.values);
    const auto flip = per_row([&, key_max](std::size_t row) {
      double largest = 0;
      for (std::uint32_t h = 0; h < heads; ++h) {
        largest = std::max(largest, norm2(query(row, h).value));
      }
      return std::vector{norm2(weights_of(row).value) * fp4_step(largest, largest) * key_max};
    });
    check.code_step = [flip](std::size_t row, std::size_t, double) { return flip(row, 0); };
  }
  c.compare(op.op, {check});
}

}  // namespace

void index_score_cases(Suite& suite) {
  constexpr ds4_rounding kNone{};
  constexpr ds4_rounding kTransform{DS4_ROUND_NONE, 0, 0, DS4_ROUNDING_HADAMARD};
  constexpr ds4_rounding kFp4{DS4_ROUND_FP4_E2M1, 32, 0, DS4_ROUNDING_HADAMARD};
  for (const RowCase& rows : suite.is_model() ? suite.rows() : std::vector<RowCase>{}) {
    suite.run("f16 of Flash, index rows", rows,
              [&](Case& c) { run_case(c, DS4_DTYPE_F16, 256, DS4_DTYPE_INDEX_ROW, kFp4, true); });
  }
  if (suite.is_model()) return;
  for (const bool is_yarn : {false, true}) {
    const std::string kind = is_yarn ? "yarn rope" : "plain rope";
    for (const RowCase& rows : suite.rows()) {
      suite.run("unrounded, f32 keys, " + kind, rows,
                [&](Case& c) { run_case(c, DS4_DTYPE_F32, 40, DS4_DTYPE_F32, kNone, is_yarn); });
      suite.run("transformed, f32 keys, " + kind, rows, [&](Case& c) {
        run_case(c, DS4_DTYPE_F32, 40, DS4_DTYPE_F32, kTransform, is_yarn);
      });
      suite.run("fp4, index rows, " + kind, rows, [&](Case& c) {
        run_case(c, DS4_DTYPE_F32, 40, DS4_DTYPE_INDEX_ROW, kFp4, is_yarn);
      });
    }
  }
  for (const std::uint32_t keys : {DS4_DTYPE_F16, DS4_DTYPE_BF16}) {
    for (const RowCase& rows : suite.short_rows()) {
      suite.run("unrounded, " + std::string(view_dtype_name(keys)) + " keys", rows,
                [&](Case& c) { run_case(c, DS4_DTYPE_F32, 40, keys, kNone, true); });
    }
  }
  for (const std::uint32_t dtype : accepted_dtypes(suite, DS4_ROLE_MATRIX)) {
    for (const RowCase& rows : {suite.short_rows()[1], suite.short_rows()[3]}) {
      suite.run(std::string(view_dtype_name(dtype)) + " width 256", rows,
                [&](Case& c) { run_case(c, dtype, 256, DS4_DTYPE_INDEX_ROW, kTransform, true); });
    }
  }
}

}  // namespace ds4::conformance
