#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kSlots = 2;
constexpr std::uint32_t kTail = 16;  // of Flash 64

struct Kind {
  const char* label;
  std::uint32_t ratio;
  std::uint32_t pool_dtype;
  ds4_rounding rounding;
};

constexpr ds4_rounding kFp8{DS4_ROUND_FP8_E4M3, 64, kTail, DS4_ROUNDING_TAIL_BF16};
constexpr ds4_rounding kFp4{DS4_ROUND_FP4_E2M1, 32, 0, DS4_ROUNDING_HADAMARD};
constexpr Kind kKinds[] = {
    {"ratio 4, f32 rows", 4, DS4_DTYPE_F32, {}},
    {"ratio 128, f32 rows", 128, DS4_DTYPE_F32, {}},
    {"ratio 4, kv rows", 4, DS4_DTYPE_KV_ROW, kFp8},
    {"ratio 128, kv rows", 128, DS4_DTYPE_KV_ROW, kFp8},
    {"ratio 4, index rows", 4, DS4_DTYPE_INDEX_ROW, kFp4},
};

/// Windows that begin in the ring, wrap there and end in the workspace; every fifth entry of the
/// third emission is left out, and the second has nothing but -1.
std::vector<std::int32_t> window_list(Case& c, std::uint32_t span, std::uint32_t capacity,
                                      std::uint32_t work_rows) {
  std::vector<std::int32_t> list;
  for (std::uint32_t e = 0; e < c.rows().rows; ++e) {
    const std::uint32_t slot = e % kSlots;
    const std::uint32_t start = c.random().below(capacity);
    const std::uint32_t from_work = c.random().below(std::min(span, work_rows) + 1);
    const std::uint32_t first = c.random().below(work_rows - from_work + 1);
    for (std::uint32_t i = 0; i < span; ++i) {
      std::uint32_t id = slot * capacity + (start + i) % capacity;
      if (i >= span - from_work) id = kSlots * capacity + first + i - (span - from_work);
      const bool is_left_out = e % 5 == 1 || (e % 5 == 2 && i % 5 == 0);
      list.push_back(is_left_out ? -1 : static_cast<std::int32_t>(id));
    }
  }
  return list;
}

/// What the pools of a case read.
struct Pooling {
  const Tensor& ring;
  const Tensor& work;
  const std::vector<std::int32_t>& list;
  std::uint32_t span;
  std::uint32_t width;
  bool has_overlap;

  [[nodiscard]] std::span<const float> pair(std::int32_t id) const {
    const auto index = static_cast<std::size_t>(id);
    const std::size_t stored = std::size_t{kSlots} * ring.view.extent[1];
    return index < stored ? ring.vector(index) : work.vector(index - stored);
  }
};

Estimate pooled_row(const Pooling& from, std::size_t row) {
  const std::uint32_t columns = from.has_overlap ? 2 * from.width : from.width;
  Estimate result;
  for (std::uint32_t d = 0; d < from.width; ++d) {
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < from.span; ++i) {
      const std::int32_t id = from.list[row * from.span + i];
      if (id < 0) continue;
      const std::size_t column = from.has_overlap && i >= from.span / 2 ? from.width + d : d;
      const double score = static_cast<double>(from.pair(id)[columns + column]);
      entries.push_back({score, 0, from.pair(id).subspan(column, 1)});
    }
    append(result, weighted(entries, nullptr, 1));
  }
  return result;
}

void run_case(Case& c, const Kind& kind, bool is_yarn) {
  // A transform takes powers of two, a rounding whole blocks behind its tail.
  const bool is_index = kind.pool_dtype == DS4_DTYPE_INDEX_ROW;
  const bool is_plain = kind.pool_dtype == DS4_DTYPE_F32;
  const std::uint32_t width = c.is_model() ? (is_index ? 128 : 512)
                              : is_plain   ? c.extent(64, kTail)
                                           : 64;
  const std::uint32_t tail = c.is_model() ? 64 : kTail;
  ds4_rounding rounding = kind.rounding;
  if (rounding.tail != 0) rounding.tail = tail;
  const bool has_overlap = kind.ratio == 4;
  const std::uint32_t span = has_overlap ? 8 : kind.ratio;
  const std::uint32_t columns = has_overlap ? 2 * width : width;
  const std::uint32_t capacity = span + 16;
  const std::uint32_t rows = c.rows().rows;
  const std::uint32_t work_rows = 2 * rows + 3;
  auto op = c.op<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT, has_overlap ? DS4_POOL_OVERLAP : 0);
  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 0.2, 1);
  const Tensor& ring = c.input({kSlots, capacity, 2 * columns});
  const Tensor& work = c.input({work_rows, 2 * columns});
  const std::vector<std::int32_t> list = window_list(c, span, capacity, work_rows);
  const std::uint32_t pool_rows = rows + 5;
  std::vector<std::int32_t> ids;
  std::vector<std::ptrdiff_t> emission_of(pool_rows, -1);
  for (std::uint32_t e = 0; e < rows; ++e) {
    // Descending, so that order does not hide a mistake; every fourth emission skips.
    const std::uint32_t at = pool_rows - 1 - e;
    ids.push_back(e % 4 == 3 ? -1 : static_cast<std::int32_t>(at));
    if (e % 4 != 3 && c.rows().contains(e)) emission_of[at] = e;
  }
  const Tensor& pool = c.storage(kind.pool_dtype, {pool_rows, width},
                                 kind.pool_dtype == DS4_DTYPE_KV_ROW ? tail : 0);
  op.gain = gain.handle;
  op.ring = ring.view;
  op.work = work.view;
  op.list = c.ints({rows, span}, list).view;
  const std::vector<std::int32_t> at = positions(c, rows);
  op.positions = c.ints({rows}, at).view;
  op.ids = c.ints({rows}, ids).view;
  op.pool = pool.view;
  op.rope = rope(tail, is_yarn);
  op.rounding = rounding;
  op.eps = 1e-6;

  const Pooling pooling{ring, work, list, span, width, has_overlap};
  const auto pooled = [&](std::size_t e) { return normed(pooled_row(pooling, e), &gain, op.eps); };
  const auto emission = [&](std::size_t row) { return static_cast<std::size_t>(emission_of[row]); };
  const auto expected = [&](std::size_t row) {
    const std::size_t e = emission(row);
    return rounded(rotated(pooled(e), op.rope, at[e]), op.rounding);
  };
  const auto row_max =
      per_row([&](std::size_t row) { return std::vector{norm2(pooled(emission(row)).value)}; });
  Check check{.name = "pool", .tensor = &pool, .expected = expected};
  check.written = [&](std::size_t row) { return emission_of[row] >= 0; };
  if (kind.pool_dtype == DS4_DTYPE_KV_ROW) {
    check.code_step = [=](std::size_t row, std::size_t column, double value) {
      return column < width - tail ? fp8_step(value, row_max(row, 0)) : bf16_step(value);
    };
  } else if (kind.pool_dtype == DS4_DTYPE_INDEX_ROW) {
    check.code_step = [=](std::size_t row, std::size_t, double value) {
      return fp4_step(value, row_max(row, 0));
    };
  }
  c.compare(op.op, {check});
}

}  // namespace

void softmax_pool_cases(Suite& suite) {
  for (const std::uint32_t ratio : {4U, 128U}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run("ratio " + std::to_string(ratio), rows, [&](Case& c) {
        const bool has_overlap = ratio == 4;
        const std::uint32_t span = has_overlap ? 8 : ratio;
        const std::uint32_t width = c.size({.usual = 64, .model = 512, .high = 96});
        const std::uint32_t columns = has_overlap ? 2 * width : width;
        const std::uint32_t capacity = span + 16;
        const std::uint32_t work_rows = 2 * c.rows().rows + 3;
        auto op =
            c.op<ds4_op_softmax_pool>(DS4_OP_SOFTMAX_POOL, has_overlap ? DS4_POOL_OVERLAP : 0);
        const Tensor& ring = c.input({kSlots, capacity, 2 * columns});
        const Tensor& work = c.input({work_rows, 2 * columns});
        const std::vector<std::int32_t> list = window_list(c, span, capacity, work_rows);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.ring = ring.view;
        op.work = work.view;
        op.list = c.ints({c.rows().rows, span}, list).view;
        op.y = y.view;
        const auto expected = [&](std::size_t row) {
          return pooled_row({ring, work, list, span, width, has_overlap}, row);
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void compress_emit_cases(Suite& suite) {
  for (const Kind& kind : kKinds) {
    if (suite.is_model() && kind.pool_dtype == DS4_DTYPE_F32) continue;
    for (const bool is_yarn : {false, true}) {
      if (suite.is_model() && !is_yarn) continue;
      const std::string label =
          std::string(kind.label) + (is_yarn ? ", yarn rope" : ", plain rope");
      for (const RowCase& rows : suite.rows()) {
        suite.run(label, rows, [&](Case& c) { run_case(c, kind, is_yarn); });
      }
    }
  }
}

}  // namespace ds4::conformance
