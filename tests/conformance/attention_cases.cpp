#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kSlots = 2;

/// Sizes of an attention case.
struct Sizes {
  std::uint32_t heads, width, tail, capacity, page_rows, pages, listed;

  explicit Sizes(Case& c)
      : heads(c.size({.usual = 3, .model = 64, .high = 9})),
        width(c.size({.usual = 80, .model = 512, .low = 24, .unit = 8, .high = 160})),
        tail(c.is_model() ? 64 : 16),
        capacity(c.size({.usual = 12, .model = 160, .high = 40})),
        page_rows(c.size({.usual = 4, .model = 64, .high = 9})),
        pages(c.size({.usual = 3, .model = kModelCounts.back() / 64, .high = 9})),
        listed(c.size({.usual = 6, .model = 512, .high = 40})) {}
  [[nodiscard]] std::uint32_t pool_rows() const { return kSlots * pages * page_rows; }
};

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
ds4_row_source ring_source(Case& c, const Sizes& sizes, const Tensor& ring, const ds4_view& slots,
                           const std::vector<std::int32_t>& slot_of, Visible& visible) {
  const std::uint32_t capacity = sizes.capacity;
  std::vector<std::int32_t> range;
  for (std::uint32_t i = 0; i < c.rows().rows; ++i) {
    const bool is_empty = i % 4 == 3;
    range.push_back(static_cast<std::int32_t>(c.random().below(3 * capacity)));
    // A window of Flash is 128 of the ring's 160 rows.
    const std::uint32_t most = c.is_model() ? 128 : capacity;
    const std::uint32_t some = 1 + c.random().below(most);
    const std::uint32_t count = c.is_model() && i % 2 == 0 ? most : some;
    range.push_back(is_empty ? 0 : static_cast<std::int32_t>(count));
    for (std::int32_t e = 0; e < range[2 * i + 1]; ++e) {
      const std::size_t at = index(range[2 * i] + e) % capacity;
      visible[i].push_back(ring.vector(index(slot_of[i]) * capacity + at));
    }
  }
  ds4_row_source source{};
  source.kind = DS4_SOURCE_RANGE;
  source.wrap = capacity;
  source.rows = ring.view;
  source.list = c.ints({c.rows().rows, 2}, range).view;
  source.slot = slots;
  return source;
}

/// Rows of this step up to the row itself.
ds4_row_source work_source(Case& c, const Tensor& work, Visible& visible) {
  std::vector<std::int32_t> range;
  for (std::uint32_t i = 0; i < c.rows().rows; ++i) {
    const std::uint32_t least = c.is_model() && i >= 128 ? i - 127 : 0;
    const std::uint32_t first = least + c.random().below(i + 1 - least);
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

ds4_row_source pool_source(Case& c, const Sizes& sizes, std::uint32_t kind, const Tensor& pool,
                           std::uint32_t first_count, const ds4_view& slots,
                           const std::vector<std::int32_t>& slot_of, Visible& visible) {
  const std::uint32_t rows = c.rows().rows;
  ds4_row_source source{};
  source.kind = kind;
  source.rows = pool.view;
  if (kind == DS4_SOURCE_LIST) {
    std::vector<std::int32_t> list;
    const std::uint32_t listed = sizes.listed;
    for (std::uint32_t i = 0; i < rows * listed; ++i) {
      // Of Flash every other row has its full choice.
      const bool is_full = c.is_model() && i / listed % 2 == 0;
      const bool is_left_out = !is_full && i % listed >= 1 + (i / listed) % listed;
      const std::uint32_t id = c.random().below(sizes.pool_rows());
      list.push_back(is_left_out ? -1 : static_cast<std::int32_t>(id));
      if (!is_left_out) visible[i / listed].push_back(pool.vector(id));
    }
    source.list = c.ints({rows, listed}, list).view;
    return source;
  }
  const std::uint32_t page_rows = sizes.page_rows;
  const std::uint32_t pages = sizes.pages;
  const std::uint32_t all = pages * page_rows;
  const std::uint32_t usual[] = {std::min(page_rows + 1, all), 0, all, page_rows,
                                 std::min(all, 7U)};
  std::vector<std::int32_t> counts;
  for (std::uint32_t i = 0; i < rows; ++i) {
    const std::uint32_t model = kModelCounts[(first_count + i) % kModelCounts.size()];
    counts.push_back(static_cast<std::int32_t>(c.is_model() ? model : usual[i % 5]));
  }
  std::vector<std::int32_t> table;
  for (std::uint32_t s = 0; s < kSlots; ++s) {
    for (std::uint32_t p = 0; p < pages; ++p) {
      table.push_back(static_cast<std::int32_t>(kSlots * (pages - 1 - p) + s));
    }
  }
  for (std::uint32_t i = 0; i < rows; ++i) {
    for (std::size_t e = 0; e < index(counts[i]); ++e) {
      const std::int32_t page = table[index(slot_of[i]) * pages + e / page_rows];
      visible[i].push_back(pool.vector(index(page) * page_rows + e % page_rows));
    }
  }
  source.page_rows = page_rows;
  source.count = c.ints({rows}, counts).view;
  source.slot = slots;
  source.table = c.ints({kSlots, pages}, table).view;
  return source;
}

struct Kind {
  std::uint32_t dtype;
  std::uint32_t pool;
  bool has_sink;
  bool is_yarn;
  std::uint32_t first_count = 0;  ///< of the pool, in kModelCounts
};

void run_case(Case& c, std::uint32_t id, const Kind& kind) {
  const std::uint32_t rows = c.rows().rows;
  const Sizes sizes(c);
  const std::uint32_t heads = sizes.heads;
  const std::uint32_t width = sizes.width;
  const std::uint32_t tail = kind.dtype == DS4_DTYPE_KV_ROW ? sizes.tail : 0;
  auto op = c.op<ds4_op_attention>(id);
  const Tensor& q = c.input({rows, heads, width});
  const Tensor& ring = c.encoded(kind.dtype, {kSlots, sizes.capacity, width}, tail);
  const Tensor& work = c.input({rows, width});
  const Tensor& pool = c.encoded(kind.dtype, {sizes.pool_rows(), width}, tail);
  const Tensor& y = c.output(DS4_DTYPE_F32, {heads, width});
  const std::vector<std::int32_t> slot_of = random_slots(c);
  const ds4_view slots = c.ints({rows}, slot_of).view;
  const std::vector<std::int32_t> at = positions(c, rows);
  const Weight* sink =
      kind.has_sink ? &c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {heads}, 2) : nullptr;
  Visible visible(rows);
  if (sink) op.sink = sink->handle;
  op.q = q.view;
  const ds4_view at_view = c.ints({rows}, at).view;
  if (id != DS4_OP_ATTENTION_ROWS) op.positions = at_view;
  op.y = y.view;
  op.source[0] = ring_source(c, sizes, ring, slots, slot_of, visible);
  op.source[1] = work_source(c, work, visible);
  if (kind.pool != DS4_SOURCE_NONE) {
    op.source[2] =
        pool_source(c, sizes, kind.pool, pool, kind.first_count, slots, slot_of, visible);
  }
  // Only the fused ids rotate back.
  if (id != DS4_OP_ATTENTION_ROWS) op.rope = rope(sizes.tail, kind.is_yarn, true);
  op.scale = 1 / std::sqrt(1.0 * width);

  std::size_t seen_rows = 0;
  for (const auto& rows_of : visible) seen_rows += rows_of.size();
  const double bytes_of_row =
      static_cast<double>(view_row_bytes(kind.dtype, width, tail).value_or(0));
  c.add_work(static_cast<double>(seen_rows) * bytes_of_row,
             4.0 * static_cast<double>(seen_rows) * heads * width);

  const auto expected = [&](std::size_t row) {
    Estimate all;
    for (std::uint32_t h = 0; h < heads; ++h) {
      const Estimate query = exact(q.vector(row * heads + h));
      std::vector<Entry> entries;
      for (const auto seen : visible[row]) {
        const Estimate logit = scaled(dot(query, exact(seen)), op.scale);
        entries.push_back({logit.value[0], logit.error[0], seen});
      }
      const Estimate head = weighted(entries, sink ? &sink->values[h] : nullptr, width);
      append(all, rotated(head, op.rope, at[row]));
    }
    return all;
  };
  c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
}

/// KV rows with sinks; layers without a pool have the plain rotation. Pools of every length that
/// lies at an end of something, each length with one row of the step and all of them together.
void model_cases(Suite& suite, std::uint32_t id, std::uint32_t pool_kind) {
  const bool has_pool = pool_kind != DS4_SOURCE_NONE;
  const std::string label = has_pool ? "kv rows of Flash" : "kv rows of Flash, no pool";
  std::uint32_t first = 0;
  for (const RowCase& rows : suite.rows()) {
    suite.run(label, rows, [&](Case& c) {
      run_case(c, id, {DS4_DTYPE_KV_ROW, pool_kind, true, has_pool, first});
    });
    first += rows.rows;
  }
  if (pool_kind != DS4_SOURCE_PAGES) return;
  for (std::uint32_t i = 0; i < kModelCounts.size(); ++i) {
    suite.run(label + ", " + std::to_string(kModelCounts[i]) + " in the pool", suite.rows()[0],
              [&](Case& c) {
                run_case(c, id, {DS4_DTYPE_KV_ROW, pool_kind, true, true, i});
              });
  }
}

}  // namespace

void attention_cases(Suite& suite, std::uint32_t id, std::uint32_t pool_kind) {
  if (suite.is_model()) {
    model_cases(suite, id, pool_kind);
    return;
  }
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
