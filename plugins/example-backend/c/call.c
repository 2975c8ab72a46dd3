/* Checks of views and weights, and the three functions of the table that work on ops. */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "formats.h"

static uint32_t type_bit(uint32_t dtype) {
  switch (dtype) {
    case DS4_DTYPE_F32:
      return T_F32;
    case DS4_DTYPE_I32:
      return T_I32;
    case DS4_DTYPE_F16:
      return T_F16;
    case DS4_DTYPE_BF16:
      return T_BF16;
    case DS4_DTYPE_KV_ROW:
      return T_KV;
    case DS4_DTYPE_INDEX_ROW:
      return T_INDEX;
    default:
      return 0;
  }
}

unsigned char* row_at(const rows* r, uint32_t row, uint32_t k) {
  return r->base + (uint64_t)(row - r->first_row) * r->stride0 + (uint64_t)k * r->stride1;
}
unsigned char* entry_at(const rows* r, uint32_t i) {
  return r->base + (uint64_t)(i / r->middle) * r->stride0 + (uint64_t)(i % r->middle) * r->stride1;
}
float* f32_at(const rows* r, uint32_t row, uint32_t k) {
  return (float*)(void*)row_at(r, row, k);
}
int32_t* i32_at(const rows* r, uint32_t row) {
  return (int32_t*)(void*)row_at(r, row, 0);
}
uint32_t width_of(const ds4_view* v) {
  return v->rank == 0 ? 0 : v->extent[v->rank - 1];
}
uint32_t vectors_of(const ds4_view* v) {
  return v->rank == 3 ? v->extent[1] : 1;
}

bool has(const call* c, const ds4_view* v) {
  return v->buffer != NULL || (!c->is_running && v->rank != 0);
}

void refuse(call* c, ds4_status status, const char* text, long long value) {
  if (c->status != DS4_OK) return;
  c->status = status;
  snprintf(c->text, sizeof c->text, "op %u: %s (%lld)", c->op->id, text, value);
}

bool require(call* c, bool condition, const char* text, long long value) {
  if (!condition) refuse(c, DS4_E_INVALID_ARGUMENT, text, value);
  return condition;
}

/* Bytes from a view's first byte to its end; false when that overflows. */
static bool hull_of(const ds4_view* v, uint64_t* bytes) {
  uint64_t hull = 0;
  *bytes = 0;
  for (uint32_t d = 0; d < v->rank; ++d) {
    if (v->extent[d] == 0) return true;
  }
  const bool is_row = v->dtype == DS4_DTYPE_KV_ROW || v->dtype == DS4_DTYPE_INDEX_ROW;
  for (uint32_t d = 0; d < v->rank - (is_row ? 1 : 0); ++d) {
    uint64_t step = 0;
    if (__builtin_mul_overflow((uint64_t)(v->extent[d] - 1), v->stride[d], &step) ||
        __builtin_add_overflow(hull, step, &hull)) {
      return false;
    }
  }
  const uint64_t last =
      is_row ? row_bytes(v->dtype, width_of(v), v->row_tail) : row_bytes(v->dtype, 1, 0);
  return !__builtin_add_overflow(hull, last, bytes);
}

rows take_table(call* c, const ds4_view* v, uint32_t types, uint32_t lowest, uint32_t highest,
                use how) {
  rows none = {NULL, 0, 0, 1, 0, 0, 0, 0, 0};
  uint64_t bytes = 0;
  if (!require(c, has(c, v), "a view is absent", 0)) return none;
  if (type_bit(v->dtype) == 0) {
    refuse(c, DS4_E_UNSUPPORTED, "a view has a dtype that is not taken", v->dtype);
    return none;
  }
  if (!require(c, (type_bit(v->dtype) & types) != 0, "a view's dtype", v->dtype) ||
      !require(c, v->rank >= lowest && v->rank <= highest, "a view's rank", v->rank)) {
    return none;
  }
  if ((type_bit(v->dtype) & (T_KV | T_INDEX)) == 0) {
    const uint64_t element = row_bytes(v->dtype, 1, 0);
    require(c, v->rank == 1 || width_of(v) <= 1 || v->stride[v->rank - 1] == element,
            "the innermost stride is not one element", 0);
    for (uint32_t d = 0; d < v->rank; ++d) {
      require(c, v->stride[d] % element == 0 && v->offset % element == 0, "alignment", d);
    }
  } else {
    require(c, v->row_tail <= width_of(v), "row_tail exceeds the width", v->row_tail);
  }
  if (v->buffer != NULL) {
    require(c, v->buffer->device == c->device, "a view lies on another device", 0);
    require(c,
            hull_of(v, &bytes) && v->offset <= v->buffer->bytes &&
                bytes <= v->buffer->bytes - v->offset,
            "a view goes beyond its buffer", (long long)v->offset);
    if (c->seen_count < 24) {
      c->seen[c->seen_count].view = v;
      c->seen[c->seen_count++].how = how;
    }
  }
  if (c->status != DS4_OK) return none;
  rows r = {v->buffer != NULL ? v->buffer->data + v->offset : NULL,
            v->stride[0],
            v->rank == 3 ? v->stride[1] : 0,
            v->rank == 3 && v->extent[1] != 0 ? v->extent[1] : 1,
            v->rank == 1 ? 1 : width_of(v),
            0,
            v->first_row,
            v->dtype,
            v->row_tail};
  const uint64_t entries = (uint64_t)v->extent[0] * (v->rank == 3 ? v->extent[1] : 1);
  r.entries = entries > INT32_MAX ? INT32_MAX : (uint32_t)entries;
  return r;
}

rows take_rows(call* c, const ds4_view* v, uint32_t types, uint32_t lowest, uint32_t highest,
               use how) {
  const rows r = take_table(c, v, types, lowest, highest, how);
  if (c->is_running && c->status == DS4_OK) {
    require(c, c->first >= v->first_row && c->end <= (uint64_t)v->first_row + v->extent[0],
            "a view does not cover the rows of the range", c->end);
  }
  return r;
}

rows take_list(call* c, const ds4_view* v, use how) {
  const rows r = take_rows(c, v, T_I32, 1, 2, how);
  require(c, v->rank == 1 || v->extent[1] == 1, "a list holds more than one value a row", v->rank);
  return r;
}

void same_shape(call* c, const ds4_view* y, const ds4_view* x) {
  require(c, y->rank == x->rank, "ranks differ", y->rank);
  for (uint32_t d = 1; d < y->rank && d < 4; ++d) {
    require(c, y->extent[d] == x->extent[d], "extents differ", y->extent[d]);
  }
}

void check_weight(call* c, const ds4_weight* w, uint32_t lowest, uint32_t highest, uint32_t width,
                  bool is_i32) {
  if (w == NULL) {
    require(c, !c->is_running, "a weight is null", 0);
    return;
  }
  require(c, w->device == c->device, "a weight lies on another device", 0);
  require(c, (w->dtype == DS4_DTYPE_I32) == is_i32, "a weight's dtype", w->dtype);
  require(c, w->rank >= lowest && w->rank <= highest, "a weight's rank", w->rank);
  require(c, w->width == width, "a weight's width", w->width);
}

void check_vector(call* c, const ds4_weight* w, uint32_t values) {
  check_weight(c, w, 1, 4, values, false);
  if (w != NULL) require(c, w->rows == 1, "a weight is no vector", (long long)w->rows);
}

void* scratch(call* c, uint64_t values, uint64_t bytes_each) {
  const uint64_t at = c->scratch_bytes;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(values, bytes_each, &bytes) || bytes > UINT64_MAX / 4 - at) {
    refuse(c, DS4_E_INVALID_ARGUMENT, "the extents are beyond any memory", 0);
    return NULL;
  }
  c->scratch_bytes = at + (bytes + 63) / 64 * 64;
  return c->workspace != NULL ? c->workspace + at : NULL;
}

/* Columns of one tensor (equal row strides) are apart although their hulls interleave. */
static bool share_bytes(const ds4_view* a, const ds4_view* b) {
  uint64_t a_bytes = 0;
  uint64_t b_bytes = 0;
  if (a->buffer != b->buffer || !hull_of(a, &a_bytes) || !hull_of(b, &b_bytes)) return false;
  if (a_bytes == 0 || b_bytes == 0) return false;
  if (a->offset >= b->offset + b_bytes || b->offset >= a->offset + a_bytes) return false;
  const uint64_t stride = a->stride[0];
  if (a->rank < 2 || b->rank < 2 || stride == 0 || stride != b->stride[0]) return true;
  const uint64_t a_end = a->offset % stride + a_bytes - (a->extent[0] - 1) * stride;
  const uint64_t b_end = b->offset % stride + b_bytes - (b->extent[0] - 1) * stride;
  return a_end > stride || b_end > stride ||
         (a->offset % stride < b_end && b->offset % stride < a_end);
}

static bool is_same(const ds4_view* a, const ds4_view* b) {
  bool same = a->offset == b->offset && a->rank == b->rank && a->dtype == b->dtype;
  for (uint32_t d = 0; same && d < a->rank; ++d) {
    same = a->extent[d] == b->extent[d] && a->stride[d] == b->stride[d];
  }
  return same;
}

bool begin(call* c) {
  if (!c->is_running || c->status != DS4_OK) return false;
  require(c, c->scratch_bytes <= c->workspace_bytes, "the workspace is too small",
          (long long)c->scratch_bytes);
  for (uint32_t i = 0; i < c->seen_count; ++i) {
    for (uint32_t j = 0; j < c->seen_count; ++j) {
      if (i == j || c->seen[i].how == USE_INPUT) continue;
      if (c->seen[j].how == USE_INPUT && !c->device->validates) continue;
      const bool is_declared =
          c->seen[i].how == USE_IN_PLACE && is_same(c->seen[i].view, c->seen[j].view);
      require(c, is_declared || !share_bytes(c->seen[i].view, c->seen[j].view),
              "an output overlaps another view", i);
    }
  }
  return c->status == DS4_OK;
}

/* ---- the table's functions ------------------------------------------------------------------- */

static ds4_status fill_error(const call* c, ds4_error* err) {
  failed(err, c->status, "%s", c->text);
  if (err != NULL && err->struct_size >= sizeof *err) {
    err->op_id = c->op->id;
    err->op_tag = c->op->tag;
  }
  return c->status;
}

/* Finds the op after the checks that need no view, and runs its function on the call. */
static void run(call* c, const ds4_op* op) {
  const op_entry* const lists[] = {plain_ops, model_ops, attention_ops};
  c->op = op;
  for (int l = 0; l < 3 && op->struct_size >= sizeof *op; ++l) {
    for (const op_entry* e = lists[l]; e->id != 0; ++e) {
      if (e->id != op->id) continue;
      if (op->struct_size != e->bytes) {
        refuse(c, DS4_E_INVALID_ARGUMENT, "struct_size", op->struct_size);
      } else if ((op->flags & ~e->flags) != 0) {
        refuse(c, DS4_E_UNSUPPORTED, "unknown flags", op->flags);
      } else {
        e->run(c, op);
      }
      return;
    }
  }
  refuse(c, DS4_E_UNSUPPORTED, "it is not known here, or left to its composition", op->struct_size);
}

ds4_status op_support(ds4_device* device, const ds4_op* op, ds4_op_support* out, ds4_error* err) {
  if (device == NULL || op == NULL || out == NULL) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  }
  if (out->struct_size < sizeof *out) return failed(err, DS4_E_ABI, "op support is too short");
  call c = {.device = device};
  run(&c, op);
  out->level = c.status == DS4_OK ? DS4_SUPPORT_NATIVE : DS4_SUPPORT_NO;
  snprintf(out->reason, sizeof out->reason, "%.127s", c.text);
  return DS4_OK;
}

ds4_status workspace_size(ds4_device* device, const ds4_op* const* ops, uint32_t count,
                          uint64_t* bytes, ds4_error* err) {
  if (device == NULL || bytes == NULL || (ops == NULL && count != 0)) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  }
  *bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    call c = {.device = device};
    if (ops[i] == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "op %u is null", i);
    run(&c, ops[i]);
    if (c.status != DS4_OK) return fill_error(&c, err);
    if (c.scratch_bytes > *bytes) *bytes = c.scratch_bytes;
  }
  return DS4_OK;
}

/* The rows of a range: words of the step block say how many and where they begin. */
static void resolve(call* c, const ds4_range* range, const ds4_view* step) {
  const int32_t* words =
      step->buffer != NULL ? (const int32_t*)(void*)(step->buffer->data + step->offset) : NULL;
  const uint32_t size = words != NULL ? step->extent[0] : 0;
  int64_t count = range->max;
  int64_t first = range->begin;
  if (range->count_slot != DS4_SLOT_NONE) {
    if (!require(c, range->count_slot < size, "count_slot", range->count_slot)) return;
    count = (int64_t)words[range->count_slot] - range->begin;
    count = count < 0 ? 0 : count > range->max ? range->max : count;
  }
  if (range->begin_slot != DS4_SLOT_NONE) {
    if (!require(c, range->begin_slot < size, "begin_slot", range->begin_slot)) return;
    first += words[range->begin_slot];
  }
  if (!require(c, first >= 0 && first + count <= UINT32_MAX, "rows out of range", first)) return;
  c->first = (uint32_t)first;
  c->end = (uint32_t)(first + count);
}

ds4_status enqueue(ds4_stream* stream, const ds4_submission* s, ds4_error* err) {
  if (stream == NULL || s == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  if (s->struct_size < sizeof *s) return failed(err, DS4_E_ABI, "submission is too short");
  if (s->ops == NULL && s->count != 0) return failed(err, DS4_E_INVALID_ARGUMENT, "ops is null");
  uint64_t workspace_bytes = 0;
  const ds4_view* const blocks[] = {&s->step, &s->workspace};
  for (int i = 0; i < 2; ++i) {
    const ds4_view* v = blocks[i];
    if (v->buffer == NULL) continue;
    if (v->buffer->device != stream->device || v->offset % 4 != 0 || v->rank < 1 || v->rank > 4 ||
        !hull_of(v, &workspace_bytes) || v->offset > v->buffer->bytes ||
        workspace_bytes > v->buffer->bytes - v->offset) {
      return failed(err, DS4_E_INVALID_ARGUMENT,
                    "the step block or workspace is not in its buffer");
    }
  }
  if (s->workspace.buffer == NULL) workspace_bytes = 0;
  for (uint32_t i = 0; i < s->count; ++i) {
    if (s->ops[i] == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "op %u is null", i);
    call c = {.device = stream->device, .op = s->ops[i], .is_running = true};
    c.workspace_bytes = workspace_bytes;
    if (workspace_bytes != 0) c.workspace = s->workspace.buffer->data + s->workspace.offset;
    /* Every descriptor goes on with its range right behind the header. */
    if (s->ops[i]->struct_size >= sizeof(ds4_op) + sizeof(ds4_range)) {
      resolve(&c, &((const ds4_op_fill*)(const void*)s->ops[i])->rows, &s->step);
    }
    if (c.status == DS4_OK) run(&c, s->ops[i]);
    if (c.status != DS4_OK) return fill_error(&c, err);
  }
  return DS4_OK;
}
