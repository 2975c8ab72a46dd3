#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kSlots = 2;
constexpr std::uint32_t kCapacity = 12;
constexpr std::uint32_t kPageRows = 4;
constexpr std::uint32_t kPages = 3;
constexpr std::uint32_t kPoolRows = kSlots * kPages * kPageRows;
constexpr std::uint32_t kHeads = 3;
constexpr std::uint32_t kWidth = 80;
constexpr std::uint32_t kTail = 16;
constexpr std::uint32_t kListed = 6;

std::vector<std::int32_t> random_slots(Case& c) {
  std::vector<std::int32_t> slots;
  for (std::uint32_t i = 0; i < c.rows().rows; ++i) {
    slots.push_back(static_cast<std::int32_t>(c.random().below(kSlots)));
  }
  return slots;
}

/// What each row of the step sees, in order.
using Visible = std::vector<std::vector<std::span<const float>>>;

std::size_t index(std::int32_t value) {
  return static_cast<std::size_t>(value);
}

/// The rings of two sessions: empty, partly filled, and wrapped windows.
ds4_row_source ring_source(Case& c, const Tensor& ring, const ds4_view& slots,
                           const std::vector<std::int32_t>& slot_of, Visible& visible) {
  std::vector<std::int32_t> range;
  for (std::uint32_t i = 0; i < c.rows().rows; ++i) {
    const bool is_empty = i % 4 == 3;
    range.push_back(static_cast<std::int32_t>(c.random().below(3 * kCapacity)));
    range.push_back(is_empty ? 0 : static_cast<std::int32_t>(1 + c.random().below(kCapacity)));
    for (std::int32_t e = 0; e < range[2 * i + 1]; ++e) {
      const std::size_t at = index(range[2 * i] + e) % kCapacity;
      visible[i].push_back(ring.vector(index(slot_of[i]) * kCapacity + at));
    }
  }
  ds4_row_source source{};
  source.kind = DS4_SOURCE_RANGE;
  source.wrap = kCapacity;
  source.rows = ring.view;
  source.list = c.ints({c.rows().rows, 2}, range).view;
  source.slot = slots;
  return source;
}

/// Rows of this step up to the row itself.
ds4_row_source work_source(Case& c, const Tensor& work, Visible& visible) {
  std::vector<std::int32_t> range;
  for (std::uint32_t i = 0; i < c.rows().rows; ++i) {
    const std::uint32_t first = c.random().below(i + 1);
    range.push_back(static_cast<std::int32_t>(first));
    range.push_back(static_cast<std::int32_t>(i - first + 1));
    for (std::uint32_t e = first; e <= i; ++e) visible[i].push_back(work.vector(e));
  }
  ds4_row_source source{};
  source.kind = DS4_SOURCE_RANGE;
  source.rows = work.view;
  source.list = c.ints({c.rows().rows, 2}, range).view;
  return source;
}

ds4_row_source pool_source(Case& c, std::uint32_t kind, const Tensor& pool, const ds4_view& slots,
                           const std::vector<std::int32_t>& slot_of, Visible& visible) {
  const std::uint32_t rows = c.rows().rows;
  ds4_row_source source{};
  source.kind = kind;
  source.rows = pool.view;
  if (kind == DS4_SOURCE_LIST) {
    std::vector<std::int32_t> list;
    for (std::uint32_t i = 0; i < rows * kListed; ++i) {
      const bool is_left_out = i % kListed >= 1 + (i / kListed) % kListed;
      list.push_back(is_left_out ? -1 : static_cast<std::int32_t>(c.random().below(kPoolRows)));
      if (!is_left_out) visible[i / kListed].push_back(pool.vector(index(list.back())));
    }
    source.list = c.ints({rows, kListed}, list).view;
    return source;
  }
  constexpr std::int32_t kCounts[] = {kPageRows + 1, 0, kPages * kPageRows, kPageRows, 7};
  std::vector<std::int32_t> counts;
  for (std::uint32_t i = 0; i < rows; ++i) counts.push_back(kCounts[i % 5]);
  std::vector<std::int32_t> table;
  for (std::uint32_t s = 0; s < kSlots; ++s) {
    for (std::uint32_t p = 0; p < kPages; ++p) {
      table.push_back(static_cast<std::int32_t>(kSlots * (kPages - 1 - p) + s));
    }
  }
  for (std::uint32_t i = 0; i < rows; ++i) {
    for (std::size_t e = 0; e < index(counts[i]); ++e) {
      const std::int32_t page = table[index(slot_of[i]) * kPages + e / kPageRows];
      visible[i].push_back(pool.vector(index(page) * kPageRows + e % kPageRows));
    }
  }
  source.page_rows = kPageRows;
  source.count = c.ints({rows}, counts).view;
  source.slot = slots;
  source.table = c.ints({kSlots, kPages}, table).view;
  return source;
}

struct Kind {
  std::uint32_t dtype;
  std::uint32_t pool;
  bool has_sink;
  bool is_yarn;
};

void run_case(Case& c, std::uint32_t id, const Kind& kind) {
  const std::uint32_t rows = c.rows().rows;
  const std::uint32_t tail = kind.dtype == DS4_DTYPE_KV_ROW ? kTail : 0;
  auto op = c.op<ds4_op_attention>(id);
  const Tensor& q = c.input({rows, kHeads, kWidth});
  const Tensor& ring = c.encoded(kind.dtype, {kSlots, kCapacity, kWidth}, tail);
  const Tensor& work = c.input({rows, kWidth});
  const Tensor& pool = c.encoded(kind.dtype, {kPoolRows, kWidth}, tail);
  const Tensor& y = c.output(DS4_DTYPE_F32, {kHeads, kWidth});
  const std::vector<std::int32_t> slot_of = random_slots(c);
  const ds4_view slots = c.ints({rows}, slot_of).view;
  const std::vector<std::int32_t> at = positions(c, rows);
  const Weight* sink =
      kind.has_sink ? &c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {kHeads}, 2) : nullptr;
  Visible visible(rows);
  if (sink) op.sink = sink->handle;
  op.q = q.view;
  const ds4_view at_view = c.ints({rows}, at).view;
  if (id != DS4_OP_ATTENTION_ROWS) op.positions = at_view;
  op.y = y.view;
  op.source[0] = ring_source(c, ring, slots, slot_of, visible);
  op.source[1] = work_source(c, work, visible);
  if (kind.pool != DS4_SOURCE_NONE) {
    op.source[2] = pool_source(c, kind.pool, pool, slots, slot_of, visible);
  }
  // Only the fused ids rotate back.
  if (id != DS4_OP_ATTENTION_ROWS) op.rope = rope(kTail, kind.is_yarn, true);
  op.scale = 1 / std::sqrt(1.0 * kWidth);

  const auto expected = [&](std::size_t row) {
    Estimate all;
    for (std::uint32_t h = 0; h < kHeads; ++h) {
      const Estimate query = exact(q.vector(row * kHeads + h));
      std::vector<Entry> entries;
      for (const auto seen : visible[row]) {
        const Estimate logit = scaled(dot(query, exact(seen)), op.scale);
        entries.push_back({logit.value[0], logit.error[0], seen});
      }
      const Estimate head = weighted(entries, sink ? &sink->values[h] : nullptr, kWidth);
      append(all, rotated(head, op.rope, at[row]));
    }
    return all;
  };
  c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
}

}  // namespace

void attention_cases(Suite& suite, std::uint32_t id, std::uint32_t pool_kind) {
  for (const std::uint32_t dtype :
       {DS4_DTYPE_F32, DS4_DTYPE_KV_ROW, DS4_DTYPE_F16, DS4_DTYPE_BF16}) {
    const bool is_half = dtype == DS4_DTYPE_F16 || dtype == DS4_DTYPE_BF16;
    for (const bool has_sink : {true, false}) {
      for (const bool is_yarn : {true, false}) {
        if (is_half && has_sink != is_yarn) continue;
        const std::string label = std::string(view_dtype_name(dtype)) + " rows, " +
                                  (pool_kind == DS4_SOURCE_NONE ? "no pool, " : "") +
                                  (has_sink ? "sink, " : "no sink, ") +
                                  (is_yarn ? "yarn rope" : "plain rope");
        for (const RowCase& rows : is_half ? suite.short_rows() : suite.rows()) {
          suite.run(label, rows, [&](Case& c) {
            run_case(c, id, {dtype, pool_kind, has_sink, is_yarn});
          });
        }
      }
    }
  }
}

}  // namespace ds4::conformance
