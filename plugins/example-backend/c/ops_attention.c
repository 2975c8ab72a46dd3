/* Tier-1 ops that look at stored rows: attention, and the scores of the indexer. The contract of
 * each is in ds4/ops.h. */
#include <math.h>

#include "call.h"
#include "formats.h"

/* A row source with addresses resolved. */
typedef struct {
  uint32_t kind, page_rows, wrap;
  rows stored, list, count, slot, table;
} source;

static source take_source(call* c, const ds4_row_source* s, uint32_t width) {
  source out = {.kind = s->kind, .page_rows = s->page_rows, .wrap = s->wrap};
  if (s->kind == DS4_SOURCE_NONE) return out;
  if (s->kind > DS4_SOURCE_PAGES) {
    refuse(c, DS4_E_UNSUPPORTED, "unknown kind of a row source", s->kind);
    return out;
  }
  out.stored = take_table(c, &s->rows, T_ROWS, 2, 3, USE_INPUT);
  require(c, width_of(&s->rows) == width, "width of stored rows", width_of(&s->rows));
  if (s->kind == DS4_SOURCE_PAGES) {
    require(c, s->page_rows != 0, "page_rows", 0);
    out.count = take_list(c, &s->count, USE_INPUT);
    out.table = take_table(c, &s->table, T_I32, 2, 2, USE_INPUT);
  } else {
    out.list = take_rows(c, &s->list, T_I32, 2, 2, USE_INPUT);
    require(c, s->kind != DS4_SOURCE_RANGE || s->list.extent[1] == 2, "a range is two words",
            s->list.extent[1]);
  }
  if (s->kind == DS4_SOURCE_PAGES || s->wrap != 0) out.slot = take_list(c, &s->slot, USE_INPUT);
  return out;
}

/* Entries that row r sees, those left out included. */
static int64_t size_of(const source* s, uint32_t r) {
  switch (s->kind) {
    case DS4_SOURCE_LIST:
      return s->list.width;
    case DS4_SOURCE_RANGE:
      return i32_at(&s->list, r)[1];
    case DS4_SOURCE_PAGES:
      return *i32_at(&s->count, r);
    default:
      return 0;
  }
}

#define LEFT_OUT (-1)
#define OUTSIDE (-2)

/* The stored row of entry e, or LEFT_OUT, or OUTSIDE when an index names nothing. */
static int64_t row_of(const source* s, uint32_t r, int64_t e) {
  int64_t row = OUTSIDE;
  if (s->kind == DS4_SOURCE_LIST) {
    row = i32_at(&s->list, r)[e];
    if (row == -1) return LEFT_OUT;
  } else if (s->kind == DS4_SOURCE_RANGE) {
    row = i32_at(&s->list, r)[0] + e;
    if (s->wrap != 0 && row >= 0) {
      const int64_t slot = *i32_at(&s->slot, r);
      row = slot < 0 ? OUTSIDE : slot * s->wrap + row % s->wrap;
    }
  } else {
    const int64_t slot = *i32_at(&s->slot, r);
    const int64_t page = e / s->page_rows;
    if (slot >= 0 && slot < s->table.entries && page < s->table.width) {
      const int32_t* pages = (const int32_t*)(void*)entry_at(&s->table, (uint32_t)slot);
      row = pages[page] < 0 ? OUTSIDE : (int64_t)pages[page] * s->page_rows + e % s->page_rows;
    }
  }
  return row >= 0 && row < s->stored.entries ? row : OUTSIDE;
}

/* Decodes entry e of row r; false when it is left out, or refused. */
static bool decode_entry(call* c, const source* s, uint32_t r, int64_t e, float* out) {
  const int64_t row = row_of(s, r, e);
  if (row == LEFT_OUT) return false;
  if (!require(c, row >= 0, "an entry that does not exist, of row", r)) return false;
  decode_row(s->stored.dtype, s->stored.tail, entry_at(&s->stored, (uint32_t)row), s->stored.width,
             out);
  return true;
}

static double dot(const float* a, const float* b, uint32_t n) {
  double sum = 0;
  for (uint32_t i = 0; i < n; ++i) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void matmul_act(call* c, const void* descriptor) {
  const ds4_op_matmul_act* op = descriptor;
  const rows q = take_rows(c, &op->q, T_F32, 3, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 3, 3, USE_OUTPUT);
  const uint32_t heads = op->q.extent[1];
  require(c, op->y.extent[1] == heads, "heads of y", op->y.extent[1]);
  require(c, op->keys.kind == DS4_SOURCE_PAGES || op->keys.kind == DS4_SOURCE_LIST,
          "the kind of keys", op->keys.kind);
  const source keys = take_source(c, &op->keys, op->q.extent[2]);
  float* key = scratch(c, op->q.extent[2], sizeof(float));
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const int64_t n = size_of(&keys, r);
    if (!require(c, n >= 0 && n <= (int64_t)y.width, "more keys than columns", n)) return;
    for (uint32_t e = 0; e < y.width; ++e) {
      const bool is_there = e < n && decode_entry(c, &keys, r, e, key);
      if (c->status != DS4_OK) return;
      for (uint32_t h = 0; h < heads; ++h) {
        f32_at(&y, r, h)[e] = is_there ? (float)dot(f32_at(&q, r, h), key, q.width) : -INFINITY;
      }
    }
  }
}

static void attention_rows(call* c, const void* descriptor) {
  const ds4_op_attention* op = descriptor;
  const rows q = take_rows(c, &op->q, T_F32, 3, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 3, 3, USE_OUTPUT);
  same_shape(c, &op->y, &op->q);
  const uint32_t heads = op->q.extent[1];
  const uint32_t width = op->q.extent[2];
  if (op->sink != NULL) check_vector(c, op->sink, heads);
  source sources[3];
  for (int s = 0; s < 3; ++s) sources[s] = take_source(c, &op->source[s], width);
  require(c, op->rope.dims == 0 && isfinite(op->scale), "rope.dims or scale", op->rope.dims);
  float* key = scratch(c, width, sizeof(float));
  double* maximum = scratch(c, heads, sizeof(double));
  double* total = scratch(c, heads, sizeof(double));
  double* sum = scratch(c, (uint64_t)heads * width, sizeof(double));
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t h = 0; h < heads; ++h) {
      maximum[h] =
          op->sink != NULL ? (double)plain_value(op->sink->dtype, op->sink->data, h) : -INFINITY;
    }
    for (uint64_t i = 0; i < (uint64_t)heads * width; ++i) sum[i] = 0;
    /* First the maximum of each head, then the sums. */
    for (int pass = 0; pass < 2; ++pass) {
      for (uint32_t h = 0; pass == 1 && h < heads; ++h) {
        if (maximum[h] == -INFINITY) maximum[h] = 0; /* nothing to weigh */
        total[h] = 0;
        if (op->sink != NULL) {
          total[h] = exp((double)plain_value(op->sink->dtype, op->sink->data, h) - maximum[h]);
        }
      }
      for (int s = 0; s < 3; ++s) {
        const int64_t n = size_of(&sources[s], r);
        const bool fits = sources[s].wrap == 0 || n <= (int64_t)sources[s].wrap;
        if (!require(c, n >= 0 && fits, "a count below 0 or beyond the ring", n)) return;
        for (int64_t e = 0; e < n; ++e) {
          const bool is_there = decode_entry(c, &sources[s], r, e, key);
          if (c->status != DS4_OK) return;
          for (uint32_t h = 0; is_there && h < heads; ++h) {
            const double logit = dot(f32_at(&q, r, h), key, width) * op->scale;
            if (pass == 0) {
              if (logit > maximum[h]) maximum[h] = logit;
              continue;
            }
            const double weight = exp(logit - maximum[h]);
            total[h] += weight;
            for (uint32_t d = 0; d < width; ++d) {
              sum[(uint64_t)h * width + d] += weight * (double)key[d];
            }
          }
        }
      }
    }
    for (uint32_t h = 0; h < heads; ++h) {
      for (uint32_t d = 0; d < width; ++d) {
        const double value = sum[(uint64_t)h * width + d];
        f32_at(&y, r, h)[d] = (float)(total[h] == 0 ? 0 : value / total[h]);
      }
    }
  }
}

const op_entry attention_ops[] = {
    {DS4_OP_MATMUL_ACT, sizeof(ds4_op_matmul_act), 0, matmul_act},
    {DS4_OP_ATTENTION_ROWS, sizeof(ds4_op_attention), 0, attention_rows},
    {0, 0, 0, NULL},
};
