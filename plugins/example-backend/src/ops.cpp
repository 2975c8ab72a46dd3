// Tier-1 ops that move values, combine them element by element, or multiply matrices. The contract
// of each is in ds4/ops.h. Sums run in double, in an order that depends on the row alone.
#include <algorithm>

#include "call.hpp"
#include "formats.hpp"

namespace example {
namespace {

// ---- data movement ------------------------------------------------------------------------------

void copy_cast(Call& call, const ds4_op_copy_cast& op) {
  const Rows x = call.rows(op.x, "x", kRowTypes | kI32, 2, 2);
  const Rows y = call.rows(op.y, "y", kRowTypes | kI32, 2, 2, Use::output);
  call.like(op.y, op.x);
  call.require((op.x.dtype == DS4_DTYPE_I32) == (op.y.dtype == DS4_DTYPE_I32),
               "I32 converts to nothing else");
  float* values = call.scratch<float>(op.x.extent[1]);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    if (x.dtype == y.dtype && x.tail == y.tail) {
      std::memcpy(y.row(r), x.row(r), sdk::row_bytes(x.dtype, x.width, x.tail));
    } else {
      decode_row(x.dtype, x.tail, x.row(r), x.width, values);
      encode_row(y.dtype, y.tail, values, y.width, y.row(r));
    }
  }
}

void fill(Call& call, const ds4_op_fill& op) {
  const Rows y = call.rows(op.y, "y", kF32 | kI32, 2, 2, Use::output);
  const bool is_i32 = op.y.dtype == DS4_DTYPE_I32;
  call.require(!is_i32 || (op.value >= -2147483648.0 && op.value <= 2147483647.0),
               "value is beyond I32");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    if (is_i32) {
      std::fill_n(i32(y.row(r)), y.width, static_cast<std::int32_t>(op.value));
    } else {
      std::fill_n(f32(y.row(r)), y.width, static_cast<float>(op.value));
    }
  }
}

void gather_rows(Call& call, const ds4_op_gather_rows& op) {
  const Rows ids = call.list(op.ids, "ids");
  const Rows y = call.rows(op.y, "y", kF32 | kI32, 2, 2, Use::output);
  const bool is_i32 = op.y.dtype == DS4_DTYPE_I32;
  call.require(!is_i32 || (op.fill >= -2147483648.0 && op.fill <= 2147483647.0),
               "fill is beyond I32");
  Rows x;
  if (op.weight != nullptr) {
    call.weight(op.weight, "weight", 1, 2, op.y.extent[1], is_i32);
  } else if (call.has(op.x)) {
    x = call.table(op.x, "x", is_i32 ? kI32 : kRowTypes, 2, 3);
    call.same(width_of(op.x), op.y.extent[1], "width of x");
  }
  if (!call.begin()) return;
  call.require(op.weight != nullptr || x.base != nullptr, "x is absent");
  const std::int64_t entries =
      op.weight != nullptr ? static_cast<std::int64_t>(op.weight->rows()) : x.entries;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    const std::int32_t id = *i32(ids.row(r));
    call.require(id >= -1 && id < entries, "ids of row ", r, " is ", id, ", there are ", entries);
    std::byte* out = y.row(r);
    if (id == -1 && is_i32) {
      std::fill_n(i32(out), y.width, static_cast<std::int32_t>(op.fill));
    } else if (id == -1) {
      std::fill_n(f32(out), y.width, static_cast<float>(op.fill));
    } else {
      const auto e = static_cast<std::uint32_t>(id);
      const std::byte* in = op.weight != nullptr ? op.weight->row(e) : x.entry(e);
      const std::uint32_t dtype = op.weight != nullptr ? op.weight->dtype : x.dtype;
      if (is_i32) {
        std::memcpy(out, in, 4 * std::uint64_t{y.width});
      } else {
        decode_row(dtype, x.tail, in, y.width, f32(out));
      }
    }
  }
}

void scatter_rows(Call& call, const ds4_op_scatter_rows& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 2);
  const Rows ids = call.list(op.ids, "ids");
  const Rows y = call.table(op.y, "y", kRowTypes, 2, 3, Use::output);
  call.same(width_of(op.y), op.x.extent[1], "width of y");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id == -1) continue;
    call.require(id >= 0 && static_cast<std::uint32_t>(id) < y.entries, "ids of row ", r, " is ",
                 id, ", there are ", y.entries);
    encode_row(y.dtype, y.tail, f32(x.row(r)), x.width, y.entry(static_cast<std::uint32_t>(id)));
  }
}

void page_rows(Call& call, const ds4_op_page_rows& op) {
  const Rows ids = call.rows(op.ids, "ids", kI32, 2, 2);
  const Rows slot = call.list(op.slot, "slot");
  const Rows table = call.table(op.table, "table", kI32, 2, 2);
  const Rows physical = call.rows(op.physical, "physical", kI32, 2, 2, Use::in_place);
  call.like(op.physical, op.ids);
  call.require(op.page_rows != 0, "page_rows is 0");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = i32(ids.row(r))[k];
      const std::int32_t s = *i32(slot.row(r));
      std::int64_t row = -1;
      if (id != -1) {
        const std::uint32_t page = static_cast<std::uint32_t>(id) / op.page_rows;
        call.require(id >= 0 && page < table.width, "ids of row ", r, " is ", id);
        call.require(s >= 0 && static_cast<std::uint32_t>(s) < table.entries, "slot of row ", r,
                     " is ", s, ", there are ", table.entries);
        row = std::int64_t{i32(table.entry(static_cast<std::uint32_t>(s)))[page]} * op.page_rows +
              static_cast<std::uint32_t>(id) % op.page_rows;
        call.require(row >= 0 && row <= 0x7fffffff, "table: page of row ", r, " is out of range");
      }
      i32(physical.row(r))[k] = static_cast<std::int32_t>(row);
    }
  }
}

void resolve_tokens(Call& call, const ds4_op_resolve_tokens& op) {
  const Rows tokens = call.list(op.tokens, "tokens");
  Rows sampled;
  if (call.has(op.sampled)) sampled = call.table(op.sampled, "sampled", kI32, 1, 1);
  const Rows y = call.list(op.y, "y", Use::in_place);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    std::int32_t token = *i32(tokens.row(r));
    if (token < 0) {
      const std::int64_t k = -1 - std::int64_t{token};
      call.require(k < sampled.entries, "token of row ", r, " is ", token, ", there are ",
                   sampled.entries, " sampled ids");
      token = *i32(sampled.entry(static_cast<std::uint32_t>(k)));
    }
    *i32(y.row(r)) = token;
  }
}

void take_columns(Call& call, const ds4_op_take_columns& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 2);
  const Rows ids = call.rows(op.ids, "ids", kI32, 2, 2);
  const Rows y = call.rows(op.y, "y", kF32, 2, 2, Use::output);
  call.like(op.y, op.ids);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = i32(ids.row(r))[k];
      call.require(id >= -1 && id < std::int64_t{x.width}, "ids of row ", r, " is ", id,
                   ", there are ", x.width);
      f32(y.row(r))[k] = id < 0 ? 0.0F : f32(x.row(r))[id];
    }
  }
}

// True when column a of x goes before column b: larger values first, then lower ids, NaN last.
bool ranks_before(const float* x, std::int32_t a, std::int32_t b) noexcept {
  if (std::isnan(x[a]) != std::isnan(x[b])) return std::isnan(x[b]);
  if (!std::isnan(x[a]) && x[a] != x[b]) return x[a] > x[b];
  return a < b;
}

void topk(Call& call, const ds4_op_topk& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 2);
  const bool has_count = call.has(op.count);
  const bool has_values = call.has(op.values);
  Rows count;
  Rows values;
  if (has_count) count = call.list(op.count, "count");
  const Rows ids = call.rows(op.ids, "ids", kI32, 2, 2, Use::output);
  if (has_values) {
    values = call.rows(op.values, "values", kF32, 2, 2, Use::output);
    call.like(op.values, op.ids);
  }
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    const float* in = f32(x.row(r));
    std::int32_t* chosen = i32(ids.row(r));
    const std::int64_t n = has_count ? *i32(count.row(r)) : std::int64_t{x.width};
    call.require(n >= 0 && n <= std::int64_t{x.width}, "count of row ", r, " is ", n, " of ",
                 x.width);
    std::uint32_t found = 0;
    for (std::int32_t last = -1; found < ids.width; ++found) {
      std::int32_t best = -1;  // the first of those that come after the last one chosen
      for (std::int32_t e = 0; e < n; ++e) {
        const bool is_left = in[e] != -kInf && (last < 0 || ranks_before(in, last, e));
        if (is_left && (best < 0 || ranks_before(in, e, best))) best = e;
      }
      if (best < 0) break;
      chosen[found] = last = best;
    }
    if ((op.op.flags & DS4_TOPK_ASCENDING_IDS) != 0) std::sort(chosen, chosen + found);
    std::fill(chosen + found, chosen + ids.width, -1);
    for (std::uint32_t k = 0; has_values && k < ids.width; ++k) {
      f32(values.row(r))[k] = chosen[k] < 0 ? -kInf : in[chosen[k]];
    }
  }
}

// ---- element by element -------------------------------------------------------------------------

template <bool kMultiplies>
void binary(Call& call, const ds4_op_binary& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 3);
  const Rows y = call.rows(op.y, "y", kF32, 2, 3, Use::in_place);
  call.like(op.y, op.x);
  Rows b;
  std::uint32_t given = 0;
  if (op.weight != nullptr) {
    given = op.weight->width() == 1 ? 1 : width_of(op.x);
    call.weight(op.weight, "weight", 1, 1, given);
  } else if (call.has(op.b)) {
    b = call.rows(op.b, "b", kF32, 2, 3);
    given = width_of(op.b);
    call.same(op.b.rank, op.x.rank, "rank of b");
    call.same(vectors_of(op.b), vectors_of(op.x), "extent 1 of b");
    call.require(given == 1 || given == width_of(op.x), "b: width ", given, " does not fit");
  }
  if (!call.begin()) return;
  call.require(op.weight != nullptr || b.base != nullptr, "b is absent");
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < vectors_of(op.x); ++k) {
      for (std::uint32_t i = 0; i < x.width; ++i) {
        const std::uint32_t at = given == 1 ? 0 : i;
        const double left = f32(x.row(r, k))[i];
        const double right = op.weight != nullptr
                                 ? weight_value(op.weight->dtype, op.weight->data, at)
                                 : f32(b.row(r, k))[at];
        f32(y.row(r, k))[i] = static_cast<float>(kMultiplies ? left * right : left + right);
      }
    }
  }
}

// y = f(x) for each value of [rows, width] or [rows, k, width].
template <class F>
void each_value(Call& call, const ds4_view& x_view, const ds4_view& y_view, F&& f) {
  const Rows x = call.rows(x_view, "x", kF32, 2, 3);
  const Rows y = call.rows(y_view, "y", kF32, 2, 3, Use::in_place);
  call.like(y_view, x_view);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < vectors_of(x_view); ++k) {
      for (std::uint32_t i = 0; i < x.width; ++i) {
        f32(y.row(r, k))[i] = static_cast<float>(f(double{f32(x.row(r, k))[i]}));
      }
    }
  }
}

void scale_add(Call& call, const ds4_op_scale_add& op) {
  each_value(call, op.x, op.y, [&](double v) { return op.scale * v + op.offset; });
}

void unary(Call& call, const ds4_op_unary& op) {
  switch (op.function) {
    case DS4_UNARY_SIGMOID:
      return each_value(call, op.x, op.y, [](double z) { return 1 / (1 + std::exp(-z)); });
    case DS4_UNARY_SILU:
      return each_value(call, op.x, op.y, [](double z) { return z / (1 + std::exp(-z)); });
    case DS4_UNARY_RELU:
      return each_value(call, op.x, op.y, [](double z) { return z < 0 ? 0 : z; });
    case DS4_UNARY_SQRT_SOFTPLUS:
      return each_value(call, op.x, op.y,
                        [](double z) { return std::sqrt(z > 20 ? z : std::log1p(std::exp(z))); });
    default:
      call.fail(DS4_E_UNSUPPORTED, "unknown function ", op.function);
  }
}

void row_sum(Call& call, const ds4_op_row_sum& op) {
  const Rows x = call.rows(op.x, "x", kF32, 3, 3);
  const Rows y = call.rows(op.y, "y", kF32, 2, 2, Use::output);
  call.same(op.y.extent[1], op.x.extent[2], "width of y");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t i = 0; i < y.width; ++i) {
      double sum = 0;
      for (std::uint32_t k = 0; k < x.middle; ++k) sum += f32(x.row(r, k))[i];
      f32(y.row(r))[i] = static_cast<float>(sum);
    }
  }
}

// ---- products -----------------------------------------------------------------------------------

double weight_dot(const ds4_weight& w, std::uint64_t row, const float* x) noexcept {
  const std::byte* data = w.row(row);
  double sum = 0;
  for (std::uint32_t i = 0; i < w.width(); ++i) {
    sum += double{weight_value(w.dtype, data, i)} * x[i];
  }
  return sum;
}

void matmul(Call& call, const ds4_op_matmul& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 2);
  const Rows y = call.rows(op.y, "y", kF32, 2, 2, Use::output);
  call.weight(op.weight, "weight", 1, 3, op.x.extent[1]);
  if (op.weight != nullptr) call.same(op.y.extent[1], op.weight->rows(), "width of y");
  if (!call.begin()) return;
  const bool accumulates = (op.op.flags & DS4_MATMUL_ACCUMULATE) != 0;
  const auto outputs = [&](std::uint64_t begin, std::uint64_t end) noexcept {
    for (std::uint64_t o = begin; o < end; ++o) {
      for (std::uint32_t r = call.first(); r < call.end(); ++r) {
        float& out = f32(y.row(r))[o];
        const double sum = weight_dot(*op.weight, o, f32(x.row(r)));
        out = static_cast<float>(accumulates ? out + sum : sum);
      }
    }
  };
  // The host's threads share what is worth waking them.
  constexpr std::uint64_t kShared = 1'000'000;
  if (std::uint64_t{x.width} * y.width * (call.end() - call.first()) < kShared) {
    outputs(0, y.width);
  } else {
    sdk::parallel_for(call.host(), y.width, outputs);
  }
}

void grouped_matmul(Call& call, const ds4_op_grouped_matmul& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 3);
  const Rows y = call.rows(op.y, "y", kF32, 3, 3, Use::output);
  call.weight(op.weight, "weight", 3, 3, width_of(op.x));
  const std::uint32_t listed = op.y.extent[1];
  call.require(vectors_of(op.x) == listed || vectors_of(op.x) == 1, "extent 1 of x is ",
               vectors_of(op.x), " where ", listed, " or 1 is needed");
  const bool has_ids = call.has(op.ids);
  Rows ids;
  if (has_ids) {
    ids = call.rows(op.ids, "ids", kI32, 2, 2);
    call.same(op.ids.extent[1], listed, "width of ids");
  }
  if (op.weight != nullptr) {
    call.same(op.y.extent[2], op.weight->extent[1], "width of y");
    call.require(has_ids || op.weight->extent[0] >= listed, "weight has too few groups");
  }
  if (!call.begin()) return;
  const std::int64_t groups = op.weight->extent[0];
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < listed; ++k) {
      const std::int32_t g = has_ids ? i32(ids.row(r))[k] : static_cast<std::int32_t>(k);
      call.require(g >= -1 && g < groups, "ids of row ", r, " is ", g, ", there are ", groups);
      const float* in = f32(x.row(r, x.middle == 1 ? 0 : k));
      for (std::uint32_t o = 0; o < y.width; ++o) {
        const std::uint64_t row = static_cast<std::uint64_t>(g) * y.width + o;
        f32(y.row(r, k))[o] = g < 0 ? 0.0F : static_cast<float>(weight_dot(*op.weight, row, in));
      }
    }
  }
}

void mix_streams(Call& call, const ds4_op_mix_streams& op) {
  const Rows a = call.rows(op.a, "a", kF32, 3, 3);
  const Rows x = call.rows(op.x, "x", kF32, 3, 3);
  const Rows y = call.rows(op.y, "y", kF32, 3, 3, Use::output);
  const bool transposes = (op.op.flags & DS4_MIX_TRANSPOSE) != 0;
  const bool accumulates = (op.op.flags & DS4_MIX_ACCUMULATE) != 0;
  call.same(op.a.extent[transposes ? 2 : 1], op.y.extent[1], "extent of a");
  call.same(op.a.extent[transposes ? 1 : 2], op.x.extent[1], "extent of a");
  call.same(op.y.extent[2], op.x.extent[2], "width of y");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t m = 0; m < y.middle; ++m) {
      for (std::uint32_t i = 0; i < y.width; ++i) {
        float& out = f32(y.row(r, m))[i];
        double sum = accumulates ? out : 0.0;
        for (std::uint32_t n = 0; n < x.middle; ++n) {
          const float factor = transposes ? f32(a.row(r, n))[m] : f32(a.row(r, m))[n];
          sum += double{factor} * f32(x.row(r, n))[i];
        }
        out = static_cast<float>(sum);
      }
    }
  }
}

const OpEntry kOps[] = {
    entry<ds4_op_copy_cast, copy_cast>(DS4_OP_COPY_CAST),
    entry<ds4_op_fill, fill>(DS4_OP_FILL),
    entry<ds4_op_gather_rows, gather_rows>(DS4_OP_GATHER_ROWS),
    entry<ds4_op_scatter_rows, scatter_rows>(DS4_OP_SCATTER_ROWS),
    entry<ds4_op_page_rows, page_rows>(DS4_OP_PAGE_ROWS),
    entry<ds4_op_resolve_tokens, resolve_tokens>(DS4_OP_RESOLVE_TOKENS),
    entry<ds4_op_take_columns, take_columns>(DS4_OP_TAKE_COLUMNS),
    entry<ds4_op_topk, topk>(DS4_OP_TOPK),
    entry<ds4_op_binary, binary<false>>(DS4_OP_ADD),
    entry<ds4_op_binary, binary<true>>(DS4_OP_MUL),
    entry<ds4_op_scale_add, scale_add>(DS4_OP_SCALE_ADD),
    entry<ds4_op_unary, unary>(DS4_OP_UNARY),
    entry<ds4_op_row_sum, row_sum>(DS4_OP_ROW_SUM),
    entry<ds4_op_matmul, matmul>(DS4_OP_MATMUL),
    entry<ds4_op_grouped_matmul, grouped_matmul>(DS4_OP_GROUPED_MATMUL),
    entry<ds4_op_mix_streams, mix_streams>(DS4_OP_MIX_STREAMS),
};

}  // namespace

std::span<const OpEntry> plain_ops() noexcept {
  return kOps;
}

}  // namespace example
