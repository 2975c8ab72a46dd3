/* Tier-1 ops that move values, combine them element by element, or multiply matrices. The contract
 * of each is in ds4/ops.h. Sums run in double, in an order that depends on the row alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "formats.h"

static void copy_cast(call* c, const void* descriptor) {
  const ds4_op_copy_cast* op = descriptor;
  const rows x = take_rows(c, &op->x, T_ROWS | T_I32, 2, 2, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_ROWS | T_I32, 2, 2, USE_OUTPUT);
  same_shape(c, &op->y, &op->x);
  require(c, (op->x.dtype == DS4_DTYPE_I32) == (op->y.dtype == DS4_DTYPE_I32),
          "I32 converts to nothing else", 0);
  float* values = scratch(c, op->x.extent[1], sizeof(float));
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    if (x.dtype == y.dtype && x.tail == y.tail) {
      memcpy(row_at(&y, r, 0), row_at(&x, r, 0), row_bytes(x.dtype, x.width, x.tail));
    } else {
      decode_row(x.dtype, x.tail, row_at(&x, r, 0), x.width, values);
      encode_row(y.dtype, y.tail, values, y.width, row_at(&y, r, 0));
    }
  }
}

static bool fits_i32(double value) {
  return value >= -2147483648.0 && value <= 2147483647.0;
}

static void fill_row(const rows* y, uint32_t r, double value) {
  for (uint32_t i = 0; i < y->width; ++i) {
    if (y->dtype == DS4_DTYPE_I32) {
      i32_at(y, r)[i] = (int32_t)value;
    } else {
      f32_at(y, r, 0)[i] = (float)value;
    }
  }
}

static void fill(call* c, const void* descriptor) {
  const ds4_op_fill* op = descriptor;
  const rows y = take_rows(c, &op->y, T_F32 | T_I32, 2, 2, USE_OUTPUT);
  require(c, op->y.dtype != DS4_DTYPE_I32 || fits_i32(op->value), "value is beyond I32", 0);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) fill_row(&y, r, op->value);
}

static const unsigned char* weight_row(const ds4_weight* w, uint64_t r) {
  return w->data + r * (w->bytes / w->rows);
}

static void gather_rows(call* c, const void* descriptor) {
  const ds4_op_gather_rows* op = descriptor;
  const rows ids = take_list(c, &op->ids, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32 | T_I32, 2, 2, USE_OUTPUT);
  const bool is_i32 = op->y.dtype == DS4_DTYPE_I32;
  rows x = {0};
  require(c, !is_i32 || fits_i32(op->fill), "fill is beyond I32", 0);
  if (op->weight != NULL) {
    check_weight(c, op->weight, 1, 2, op->y.extent[1], is_i32);
  } else if (c->is_running || has(c, &op->x)) {
    x = take_table(c, &op->x, is_i32 ? T_I32 : T_ROWS, 2, 3, USE_INPUT);
    require(c, width_of(&op->x) == op->y.extent[1], "width of x", width_of(&op->x));
  }
  if (!begin(c)) return;
  const int64_t entries = op->weight != NULL ? (int64_t)op->weight->rows : x.entries;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const int32_t id = *i32_at(&ids, r);
    if (!require(c, id >= -1 && id < entries, "an id that does not exist", id)) return;
    if (id == -1) {
      fill_row(&y, r, op->fill);
      continue;
    }
    const unsigned char* in =
        op->weight != NULL ? weight_row(op->weight, (uint64_t)id) : entry_at(&x, (uint32_t)id);
    if (is_i32) {
      memcpy(row_at(&y, r, 0), in, 4 * (uint64_t)y.width);
    } else {
      decode_row(op->weight != NULL ? op->weight->dtype : x.dtype, x.tail, in, y.width,
                 f32_at(&y, r, 0));
    }
  }
}

static void scatter_rows(call* c, const void* descriptor) {
  const ds4_op_scatter_rows* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 2, USE_INPUT);
  const rows ids = take_list(c, &op->ids, USE_INPUT);
  const rows y = take_table(c, &op->y, T_ROWS, 2, 3, USE_OUTPUT);
  require(c, width_of(&op->y) == op->x.extent[1], "width of y", width_of(&op->y));
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const int32_t id = *i32_at(&ids, r);
    if (id == -1) continue;
    if (!require(c, id >= 0 && (uint32_t)id < y.entries, "an id that does not exist", id)) return;
    encode_row(y.dtype, y.tail, f32_at(&x, r, 0), x.width, entry_at(&y, (uint32_t)id));
  }
}

static void page_rows(call* c, const void* descriptor) {
  const ds4_op_page_rows* op = descriptor;
  const rows ids = take_rows(c, &op->ids, T_I32, 2, 2, USE_INPUT);
  const rows slot = take_list(c, &op->slot, USE_INPUT);
  const rows table = take_table(c, &op->table, T_I32, 2, 2, USE_INPUT);
  const rows physical = take_rows(c, &op->physical, T_I32, 2, 2, USE_IN_PLACE);
  same_shape(c, &op->physical, &op->ids);
  require(c, op->page_rows != 0, "page_rows", 0);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < ids.width; ++k) {
      const int32_t id = i32_at(&ids, r)[k];
      const int32_t s = *i32_at(&slot, r);
      int64_t row = -1;
      if (id != -1) {
        const uint32_t page = (uint32_t)id / op->page_rows;
        if (!require(c, id >= 0 && page < table.width, "an id without a page", id) ||
            !require(c, s >= 0 && (uint32_t)s < table.entries, "a slot that does not exist", s)) {
          return;
        }
        const int32_t* pages = (const int32_t*)(void*)entry_at(&table, (uint32_t)s);
        row = (int64_t)pages[page] * op->page_rows + (uint32_t)id % op->page_rows;
        if (!require(c, row >= 0 && row <= INT32_MAX, "a page that does not exist", row)) return;
      }
      i32_at(&physical, r)[k] = (int32_t)row;
    }
  }
}

static void resolve_tokens(call* c, const void* descriptor) {
  const ds4_op_resolve_tokens* op = descriptor;
  const rows tokens = take_list(c, &op->tokens, USE_INPUT);
  rows sampled = {0};
  if (has(c, &op->sampled)) sampled = take_table(c, &op->sampled, T_I32, 1, 1, USE_INPUT);
  const rows y = take_list(c, &op->y, USE_IN_PLACE);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    int32_t token = *i32_at(&tokens, r);
    if (token < 0) {
      const int64_t k = -1 - (int64_t)token;
      if (!require(c, k < sampled.entries, "a token that was not sampled", token)) return;
      token = *(const int32_t*)(void*)entry_at(&sampled, (uint32_t)k);
    }
    *i32_at(&y, r) = token;
  }
}

static void take_columns(call* c, const void* descriptor) {
  const ds4_op_take_columns* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 2, USE_INPUT);
  const rows ids = take_rows(c, &op->ids, T_I32, 2, 2, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 2, USE_OUTPUT);
  same_shape(c, &op->y, &op->ids);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < ids.width; ++k) {
      const int32_t id = i32_at(&ids, r)[k];
      if (!require(c, id >= -1 && id < (int64_t)x.width, "a column that does not exist", id))
        return;
      f32_at(&y, r, 0)[k] = id < 0 ? 0.0F : f32_at(&x, r, 0)[id];
    }
  }
}

/* True when column a of x goes before column b: larger values first, then lower ids, NaN last. */
static bool ranks_before(const float* x, int32_t a, int32_t b) {
  if ((isnan(x[a]) != 0) != (isnan(x[b]) != 0)) return isnan(x[b]) != 0;
  if (!isnan(x[a]) && x[a] != x[b]) return x[a] > x[b];
  return a < b;
}

static int by_id(const void* a, const void* b) {
  const int32_t left = *(const int32_t*)a;
  const int32_t right = *(const int32_t*)b;
  return left < right ? -1 : left > right;
}

static void topk(call* c, const void* descriptor) {
  const ds4_op_topk* op = descriptor;
  const bool has_count = has(c, &op->count);
  const bool has_values = has(c, &op->values);
  const rows x = take_rows(c, &op->x, T_F32, 2, 2, USE_INPUT);
  rows count = {0};
  rows values = {0};
  if (has_count) count = take_list(c, &op->count, USE_INPUT);
  const rows ids = take_rows(c, &op->ids, T_I32, 2, 2, USE_OUTPUT);
  if (has_values) {
    values = take_rows(c, &op->values, T_F32, 2, 2, USE_OUTPUT);
    same_shape(c, &op->values, &op->ids);
  }
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const float* in = f32_at(&x, r, 0);
    int32_t* chosen = i32_at(&ids, r);
    const int64_t n = has_count ? *i32_at(&count, r) : (int64_t)x.width;
    if (!require(c, n >= 0 && n <= (int64_t)x.width, "a count beyond the width", n)) return;
    uint32_t found = 0;
    for (int32_t last = -1; found < ids.width; ++found) {
      int32_t best = -1; /* the first of those that come after the last one chosen */
      for (int32_t e = 0; e < n; ++e) {
        const bool is_left = in[e] != -INFINITY && (last < 0 || ranks_before(in, last, e));
        if (is_left && (best < 0 || ranks_before(in, e, best))) best = e;
      }
      if (best < 0) break;
      chosen[found] = last = best;
    }
    if ((op->op.flags & DS4_TOPK_ASCENDING_IDS) != 0) qsort(chosen, found, sizeof *chosen, by_id);
    for (uint32_t k = found; k < ids.width; ++k) chosen[k] = -1;
    for (uint32_t k = 0; has_values && k < ids.width; ++k) {
      f32_at(&values, r, 0)[k] = chosen[k] < 0 ? -INFINITY : in[chosen[k]];
    }
  }
}

/* ---- element by element ---------------------------------------------------------------------- */

static void binary(call* c, const void* descriptor) {
  const ds4_op_binary* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  rows b = {0};
  uint32_t given = 0;
  if (op->weight != NULL) {
    given = op->weight->width == 1 ? 1 : width_of(&op->x);
    check_weight(c, op->weight, 1, 1, given, false);
  } else if (c->is_running || has(c, &op->b)) {
    b = take_rows(c, &op->b, T_F32, 2, 3, USE_INPUT);
    given = width_of(&op->b);
    require(c, op->b.rank == op->x.rank && vectors_of(&op->b) == vectors_of(&op->x),
            "b has another shape than x", op->b.rank);
    require(c, given == 1 || given == width_of(&op->x), "width of b", given);
  }
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->x); ++k) {
      for (uint32_t i = 0; i < x.width; ++i) {
        const uint32_t at = given == 1 ? 0 : i;
        const double left = f32_at(&x, r, k)[i];
        const double right = op->weight != NULL
                                 ? plain_value(op->weight->dtype, op->weight->data, at)
                                 : f32_at(&b, r, k)[at];
        f32_at(&y, r, k)[i] = (float)(op->op.id == DS4_OP_MUL ? left * right : left + right);
      }
    }
  }
}

static void scale_add(call* c, const void* descriptor) {
  const ds4_op_scale_add* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->x); ++k) {
      for (uint32_t i = 0; i < x.width; ++i) {
        f32_at(&y, r, k)[i] = (float)(op->scale * (double)f32_at(&x, r, k)[i] + op->offset);
      }
    }
  }
}

static double unary_value(uint32_t function, double z) {
  switch (function) {
    case DS4_UNARY_SIGMOID:
      return 1 / (1 + exp(-z));
    case DS4_UNARY_SILU:
      return z / (1 + exp(-z));
    case DS4_UNARY_RELU:
      return z < 0 ? 0 : z;
    default:
      return sqrt(z > 20 ? z : log1p(exp(z)));
  }
}

static void unary(call* c, const void* descriptor) {
  const ds4_op_unary* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  if (op->function < DS4_UNARY_SIGMOID || op->function > DS4_UNARY_SQRT_SOFTPLUS) {
    refuse(c, DS4_E_UNSUPPORTED, "unknown function", op->function);
  }
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->x); ++k) {
      for (uint32_t i = 0; i < x.width; ++i) {
        f32_at(&y, r, k)[i] = (float)unary_value(op->function, f32_at(&x, r, k)[i]);
      }
    }
  }
}

static void row_sum(call* c, const void* descriptor) {
  const ds4_op_row_sum* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 3, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 2, USE_OUTPUT);
  require(c, op->y.extent[1] == op->x.extent[2], "width of y", op->y.extent[1]);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t i = 0; i < y.width; ++i) {
      double sum = 0;
      for (uint32_t k = 0; k < op->x.extent[1]; ++k) sum += (double)f32_at(&x, r, k)[i];
      f32_at(&y, r, 0)[i] = (float)sum;
    }
  }
}

/* ---- products -------------------------------------------------------------------------------- */

static double weight_dot(const ds4_weight* w, uint64_t row, const float* x) {
  const unsigned char* data = weight_row(w, row);
  double sum = 0;
  for (uint32_t i = 0; i < w->width; ++i) {
    sum += (double)plain_value(w->dtype, data, i) * (double)x[i];
  }
  return sum;
}

static void matmul(call* c, const void* descriptor) {
  const ds4_op_matmul* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 2, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 2, USE_OUTPUT);
  check_weight(c, op->weight, 1, 3, op->x.extent[1], false);
  if (op->weight != NULL) {
    require(c, op->y.extent[1] == op->weight->rows, "width of y", op->y.extent[1]);
  }
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t o = 0; o < y.width; ++o) {
      float* out = f32_at(&y, r, 0) + o;
      const double sum = weight_dot(op->weight, o, f32_at(&x, r, 0));
      *out = (float)((op->op.flags & DS4_MATMUL_ACCUMULATE) != 0 ? (double)*out + sum : sum);
    }
  }
}

static void grouped_matmul(call* c, const void* descriptor) {
  const ds4_op_grouped_matmul* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 3, 3, USE_OUTPUT);
  check_weight(c, op->weight, 3, 3, width_of(&op->x), false);
  const uint32_t listed = op->y.extent[1];
  require(c, vectors_of(&op->x) == listed || vectors_of(&op->x) == 1, "extent 1 of x",
          vectors_of(&op->x));
  const bool has_ids = has(c, &op->ids);
  rows ids = {0};
  if (has_ids) {
    ids = take_rows(c, &op->ids, T_I32, 2, 2, USE_INPUT);
    require(c, op->ids.extent[1] == listed, "width of ids", op->ids.extent[1]);
  }
  if (op->weight != NULL) {
    require(c, op->y.extent[2] == op->weight->extent[1], "width of y", op->y.extent[2]);
    require(c, has_ids || op->weight->extent[0] >= listed, "too few groups", listed);
  }
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < listed; ++k) {
      const int32_t g = has_ids ? i32_at(&ids, r)[k] : (int32_t)k;
      if (!require(c, g >= -1 && g < (int64_t)op->weight->extent[0], "no such group", g)) return;
      for (uint32_t o = 0; o < y.width; ++o) {
        const uint64_t row = (uint64_t)g * y.width + o;
        const float* in = f32_at(&x, r, vectors_of(&op->x) == 1 ? 0 : k);
        f32_at(&y, r, k)[o] = g < 0 ? 0.0F : (float)weight_dot(op->weight, row, in);
      }
    }
  }
}

static void mix_streams(call* c, const void* descriptor) {
  const ds4_op_mix_streams* op = descriptor;
  const rows a = take_rows(c, &op->a, T_F32, 3, 3, USE_INPUT);
  const rows x = take_rows(c, &op->x, T_F32, 3, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 3, 3, USE_OUTPUT);
  const bool transposes = (op->op.flags & DS4_MIX_TRANSPOSE) != 0;
  const bool accumulates = (op->op.flags & DS4_MIX_ACCUMULATE) != 0;
  const uint32_t to = op->y.extent[1];
  const uint32_t from = op->x.extent[1];
  require(c, op->a.extent[transposes ? 2 : 1] == to && op->a.extent[transposes ? 1 : 2] == from,
          "a has another shape", op->a.extent[1]);
  require(c, op->y.extent[2] == op->x.extent[2], "width of y", op->y.extent[2]);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t m = 0; m < to; ++m) {
      for (uint32_t i = 0; i < y.width; ++i) {
        float* out = f32_at(&y, r, m) + i;
        double sum = accumulates ? *out : 0.0;
        for (uint32_t n = 0; n < from; ++n) {
          const double factor = transposes ? f32_at(&a, r, n)[m] : f32_at(&a, r, m)[n];
          sum += factor * (double)f32_at(&x, r, n)[i];
        }
        *out = (float)sum;
      }
    }
  }
}

const op_entry plain_ops[] = {
    {DS4_OP_COPY_CAST, sizeof(ds4_op_copy_cast), 0, copy_cast},
    {DS4_OP_FILL, sizeof(ds4_op_fill), 0, fill},
    {DS4_OP_GATHER_ROWS, sizeof(ds4_op_gather_rows), 0, gather_rows},
    {DS4_OP_SCATTER_ROWS, sizeof(ds4_op_scatter_rows), 0, scatter_rows},
    {DS4_OP_PAGE_ROWS, sizeof(ds4_op_page_rows), 0, page_rows},
    {DS4_OP_RESOLVE_TOKENS, sizeof(ds4_op_resolve_tokens), 0, resolve_tokens},
    {DS4_OP_TAKE_COLUMNS, sizeof(ds4_op_take_columns), 0, take_columns},
    {DS4_OP_TOPK, sizeof(ds4_op_topk), DS4_TOPK_ASCENDING_IDS, topk},
    {DS4_OP_ADD, sizeof(ds4_op_binary), 0, binary},
    {DS4_OP_MUL, sizeof(ds4_op_binary), 0, binary},
    {DS4_OP_SCALE_ADD, sizeof(ds4_op_scale_add), 0, scale_add},
    {DS4_OP_UNARY, sizeof(ds4_op_unary), 0, unary},
    {DS4_OP_ROW_SUM, sizeof(ds4_op_row_sum), 0, row_sum},
    {DS4_OP_MATMUL, sizeof(ds4_op_matmul), DS4_MATMUL_ACCUMULATE, matmul},
    {DS4_OP_GROUPED_MATMUL, sizeof(ds4_op_grouped_matmul), 0, grouped_matmul},
    {DS4_OP_MIX_STREAMS, sizeof(ds4_op_mix_streams), DS4_MIX_TRANSPOSE | DS4_MIX_ACCUMULATE,
     mix_streams},
    {0, 0, 0, NULL},
};
