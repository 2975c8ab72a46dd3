/* Tier-1 ops that belong to this model: norms, rotation, roundings, gates, pooling. The contract of
 * each is in ds4/ops.h. */
#include <math.h>
#include <string.h>

#include "call.h"
#include "formats.h"

#define PI 3.14159265358979323846

static double sigmoid(double z) {
  return 1 / (1 + exp(-z));
}

static double vector_value(const ds4_weight* w, uint32_t i) {
  return plain_value(w->dtype, w->data, i);
}

/* e^(x - m) where m is the maximum of what is summed; a maximum of -inf means there is nothing. */
static double weight_of(double x, double maximum) {
  return exp(x - (maximum == -INFINITY ? 0 : maximum));
}

static void rms_norm(call* c, const void* descriptor) {
  const ds4_op_rms_norm* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  require(c, width_of(&op->x) != 0 && op->eps >= 0, "width is 0 or eps below 0", 0);
  if (op->gain != NULL) check_vector(c, op->gain, width_of(&op->x));
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->x); ++k) {
      const float* in = f32_at(&x, r, k);
      double squares = 0;
      for (uint32_t i = 0; i < x.width; ++i) squares += (double)in[i] * (double)in[i];
      const double scale = 1 / sqrt(squares / x.width + op->eps);
      for (uint32_t i = 0; i < x.width; ++i) {
        const double gain = op->gain != NULL ? vector_value(op->gain, i) : 1;
        f32_at(&y, r, k)[i] = (float)(gain * ((double)in[i] * scale));
      }
    }
  }
}

/* ---- rotation -------------------------------------------------------------------------------- */

/* The pair that turns `times` times within the original context. */
static double pair_that_turns(const ds4_rope* rope, double times) {
  return rope->dims * log(rope->original_context / (2 * PI * times)) / (2 * log(rope->base));
}

/* Turns of pair i per position: base^(-2i/dims), with YARN interpolated towards f / factor. */
static float frequency(const ds4_rope* rope, uint32_t i) {
  const double plain = pow(rope->base, -2.0 * i / rope->dims);
  if ((rope->flags & DS4_ROPE_YARN) == 0) return (float)plain;
  const double low = fmax(floor(pair_that_turns(rope, rope->beta_fast)), 0);
  double high = fmin(ceil(pair_that_turns(rope, rope->beta_slow)), rope->dims - 1.0);
  if (low == high) high += 0.001;
  const double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
  return (float)(plain / rope->factor * ramp + plain * (1 - ramp));
}

static void check_rope(call* c, const ds4_rope* rope, uint32_t width) {
  if ((rope->flags & ~(DS4_ROPE_YARN | DS4_ROPE_INVERSE)) != 0) {
    refuse(c, DS4_E_UNSUPPORTED, "rope: unknown flags", rope->flags);
  }
  if (rope->dims == 0) return;
  require(c, rope->dims % 2 == 0 && rope->dims <= width, "rope.dims", rope->dims);
  require(c, isfinite(rope->base) && rope->base > 1, "rope.base is no number above 1", 0);
  if ((rope->flags & DS4_ROPE_YARN) == 0) return;
  require(c,
          isfinite(rope->factor) && rope->factor >= 1 && isfinite(rope->beta_fast) &&
              rope->beta_slow > 0 && rope->beta_fast > rope->beta_slow &&
              rope->original_context > 0,
          "rope: the parameters of YARN are out of order", 0);
}

static void rope_tail(call* c, const void* descriptor) {
  const ds4_op_rope_tail* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows positions = take_list(c, &op->positions, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  check_rope(c, &op->rope, width_of(&op->x));
  if (!begin(c)) return;
  const double sign = (op->rope.flags & DS4_ROPE_INVERSE) != 0 ? -1 : 1;
  const uint32_t heads = vectors_of(&op->x);
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < heads; ++k) {
      memmove(row_at(&y, r, k), row_at(&x, r, k), 4 * (uint64_t)x.width);
    }
    for (uint32_t i = 0; i < op->rope.dims / 2; ++i) {
      /* The angle is rounded to f32: that belongs to the model. */
      const float angle = (float)*i32_at(&positions, r) * frequency(&op->rope, i);
      const double cosine = cos((double)angle);
      const double sine = sign * sin((double)angle);
      for (uint32_t k = 0; k < heads; ++k) {
        float* pair = f32_at(&y, r, k) + (x.width - op->rope.dims) + 2 * i;
        const double a = pair[0];
        const double b = pair[1];
        pair[0] = (float)(a * cosine - b * sine);
        pair[1] = (float)(a * sine + b * cosine);
      }
    }
  }
}

/* ---- rounding -------------------------------------------------------------------------------- */

static void hadamard(double* x, uint32_t width) {
  for (uint32_t half = 1; half < width; half *= 2) {
    for (uint32_t i = 0; i < width; ++i) {
      if ((i & half) != 0) continue;
      const double sum = x[i] + x[i + half];
      x[i + half] = x[i] - x[i + half];
      x[i] = sum;
    }
  }
}

static void quant_round_trip(call* c, const void* descriptor) {
  const ds4_op_quant_round_trip* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  const ds4_rounding* rounding = &op->rounding;
  const uint32_t width = width_of(&op->x);
  const bool transforms = (rounding->flags & DS4_ROUNDING_HADAMARD) != 0;
  if (rounding->format > DS4_ROUND_FP4_E2M1 ||
      (rounding->flags & ~(DS4_ROUNDING_HADAMARD | DS4_ROUNDING_TAIL_BF16)) != 0) {
    refuse(c, DS4_E_UNSUPPORTED, "rounding: unknown format or flags", rounding->format);
  }
  require(c, rounding->tail <= width, "rounding.tail", rounding->tail);
  require(c, rounding->format == DS4_ROUND_NONE || rounding->block != 0, "rounding.block", 0);
  require(c, !transforms || (width != 0 && (width & (width - 1)) == 0),
          "the Hadamard transform needs a power of two as width", width);
  double* wide = scratch(c, width, sizeof(double));
  if (!begin(c)) return;
  const uint32_t coded = width - rounding->tail;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->x); ++k) {
      float* out = f32_at(&y, r, k);
      for (uint32_t i = 0; i < width; ++i) wide[i] = f32_at(&x, r, k)[i];
      if (transforms) hadamard(wide, width);
      const double scale = transforms ? 1 / sqrt((double)width) : 1;
      for (uint32_t i = 0; i < width; ++i) out[i] = (float)(wide[i] * scale);
      for (uint32_t b = 0; rounding->format != DS4_ROUND_NONE && b < coded;) {
        const uint32_t n = rounding->block < coded - b ? rounding->block : coded - b;
        round_block(rounding->format == DS4_ROUND_FP8_E4M3, out + b, n);
        b += n;
      }
      if ((rounding->flags & DS4_ROUNDING_TAIL_BF16) == 0) continue;
      for (uint32_t i = coded; i < width; ++i) out[i] = from_16(to_16(out[i], BFLOAT), BFLOAT);
    }
  }
}

/* ---- gates and sums -------------------------------------------------------------------------- */

static void swiglu_clamp(call* c, const void* descriptor) {
  const ds4_op_swiglu_clamp* op = descriptor;
  const rows gate = take_rows(c, &op->gate, T_F32, 2, 3, USE_INPUT);
  const rows up = take_rows(c, &op->up, T_F32, 2, 3, USE_INPUT);
  same_shape(c, &op->up, &op->gate);
  const bool has_weight = has(c, &op->weight);
  rows weight = {0};
  if (has_weight) {
    weight = take_rows(c, &op->weight, T_F32, 2, 2, USE_INPUT);
    require(c, op->weight.extent[1] == vectors_of(&op->gate), "width of weight",
            op->weight.extent[1]);
  }
  const rows y = take_rows(c, &op->y, T_F32, 2, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->gate);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t k = 0; k < vectors_of(&op->gate); ++k) {
      const double factor = has_weight ? f32_at(&weight, r, 0)[k] : 1.0;
      for (uint32_t i = 0; i < gate.width; ++i) {
        double g = f32_at(&gate, r, k)[i];
        double u = f32_at(&up, r, k)[i];
        if (op->limit > 0) { /* comparisons that a NaN passes through */
          if (g > op->limit) g = op->limit;
          if (u > op->limit) u = op->limit;
          if (u < -op->limit) u = -op->limit;
        }
        f32_at(&y, r, k)[i] = (float)(g * sigmoid(g) * u * factor);
      }
    }
  }
}

static void normalize_sum(call* c, const void* descriptor) {
  const ds4_op_normalize_sum* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 2, 2, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 2, 2, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const float* in = f32_at(&x, r, 0);
    double sum = 0;
    for (uint32_t k = 0; k < x.width; ++k) sum += (double)in[k];
    if (sum < op->floor) sum = op->floor;
    for (uint32_t k = 0; k < x.width; ++k) {
      f32_at(&y, r, 0)[k] = (float)((double)in[k] / sum * op->scale);
    }
  }
}

static void softmax_sink(call* c, const void* descriptor) {
  const ds4_op_softmax_sink* op = descriptor;
  const rows x = take_rows(c, &op->x, T_F32, 3, 3, USE_INPUT);
  const rows y = take_rows(c, &op->y, T_F32, 3, 3, USE_IN_PLACE);
  same_shape(c, &op->y, &op->x);
  if (op->sink != NULL) check_vector(c, op->sink, op->x.extent[1]);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    for (uint32_t h = 0; h < op->x.extent[1]; ++h) {
      const float* in = f32_at(&x, r, h);
      const double sink = op->sink != NULL ? vector_value(op->sink, h) : -INFINITY;
      double maximum = sink;
      for (uint32_t i = 0; i < x.width; ++i) {
        maximum = (double)in[i] > maximum ? (double)in[i] : maximum;
      }
      double sum = weight_of(sink, maximum);
      for (uint32_t i = 0; i < x.width; ++i) sum += weight_of((double)in[i], maximum);
      for (uint32_t i = 0; i < x.width; ++i) {
        f32_at(&y, r, h)[i] = (float)(sum == 0 ? 0 : weight_of((double)in[i], maximum) / sum);
      }
    }
  }
}

/* Row `id` of the ring and the step's own pairs in sequence. */
static const float* pair_at(const rows* ring, const rows* work, int32_t id) {
  const uint32_t at = (uint32_t)id;
  return (const float*)(void*)(at < ring->entries ? entry_at(ring, at)
                                                  : entry_at(work, at - ring->entries));
}

static void softmax_pool(call* c, const void* descriptor) {
  const ds4_op_softmax_pool* op = descriptor;
  const bool overlaps = (op->op.flags & DS4_POOL_OVERLAP) != 0;
  const rows y = take_rows(c, &op->y, T_F32, 2, 2, USE_OUTPUT);
  const uint64_t columns = (uint64_t)op->y.extent[1] * (overlaps ? 2 : 1);
  rows ring = {.middle = 1};
  if (has(c, &op->ring)) {
    ring = take_table(c, &op->ring, T_F32, 2, 3, USE_INPUT);
    require(c, width_of(&op->ring) == 2 * columns, "width of ring", width_of(&op->ring));
  }
  const rows work = take_table(c, &op->work, T_F32, 2, 3, USE_INPUT);
  require(c, width_of(&op->work) == 2 * columns, "width of work", width_of(&op->work));
  const rows list = take_rows(c, &op->list, T_I32, 2, 2, USE_INPUT);
  require(c, !overlaps || op->list.extent[1] % 2 == 0, "the span is odd", op->list.extent[1]);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    const int32_t* ids = i32_at(&list, r);
    for (uint32_t e = 0; e < list.width; ++e) {
      const int64_t pairs = (int64_t)ring.entries + work.entries;
      if (!require(c, ids[e] >= -1 && ids[e] < pairs, "a pair that does not exist", ids[e])) return;
    }
    for (uint32_t d = 0; d < y.width; ++d) {
      double maximum = -INFINITY;
      double sum = 0;
      double value = 0;
      /* First the maximum, then the sums. Scores follow `columns` behind the values. */
      for (int pass = 0; pass < 2; ++pass) {
        for (uint32_t e = 0; e < list.width; ++e) {
          if (ids[e] < 0) continue;
          const uint64_t column = overlaps && e >= list.width / 2 ? (uint64_t)y.width + d : d;
          const float* pair = pair_at(&ring, &work, ids[e]);
          const double score = pair[columns + column];
          if (pass == 0) {
            if (score > maximum) maximum = score;
          } else {
            sum += weight_of(score, maximum);
            value += weight_of(score, maximum) * (double)pair[column];
          }
        }
      }
      f32_at(&y, r, 0)[d] = (float)(sum == 0 ? 0 : value / sum);
    }
  }
}

/* Gates of the hyper-connection and its mixing matrix, made doubly stochastic by turns. */
static void sinkhorn_split(call* c, const void* descriptor) {
  const ds4_op_sinkhorn_split* op = descriptor;
  const rows pre = take_rows(c, &op->pre, T_F32, 2, 2, USE_OUTPUT);
  const uint32_t n = op->pre.extent[1];
  if (!require(c, n >= 1 && n <= 16, "streams are outside 1..16", n)) return;
  const rows mixes = take_rows(c, &op->mixes, T_F32, 2, 2, USE_INPUT);
  const rows post = take_rows(c, &op->post, T_F32, 2, 2, USE_OUTPUT);
  const rows comb = take_rows(c, &op->comb, T_F32, 3, 3, USE_OUTPUT);
  require(c, op->mixes.extent[1] == (2 + n) * n, "width of mixes", op->mixes.extent[1]);
  require(c, op->post.extent[1] == n && op->comb.extent[1] == n && op->comb.extent[2] == n,
          "post or comb has another shape", n);
  check_vector(c, op->scale, 3);
  check_vector(c, op->base, (2 + n) * n);
  require(c, op->iterations >= 1, "iterations", 0);
  if (!begin(c)) return;
  for (uint32_t r = c->first; r < c->end; ++r) {
    double mixed[18 * 16];
    for (uint32_t i = 0; i < (2 + n) * n; ++i) {
      mixed[i] = (double)f32_at(&mixes, r, 0)[i] * vector_value(op->scale, i / n < 2 ? i / n : 2) +
                 vector_value(op->base, i);
    }
    double* m = mixed + 2 * n; /* [source, destination] */
    for (uint32_t j = 0; j < n; ++j) {
      f32_at(&pre, r, 0)[j] = (float)(sigmoid(mixed[j]) + op->eps);
      f32_at(&post, r, 0)[j] = (float)(2 * sigmoid(mixed[n + j]));
      double maximum = -INFINITY;
      double sum = 0;
      for (uint32_t k = 0; k < n; ++k) maximum = m[j * n + k] > maximum ? m[j * n + k] : maximum;
      for (uint32_t k = 0; k < n; ++k) sum += m[j * n + k] = exp(m[j * n + k] - maximum);
      for (uint32_t k = 0; k < n; ++k) m[j * n + k] = m[j * n + k] / sum + op->eps;
    }
    /* Columns, then by turns rows and columns. */
    for (uint32_t turn = 1; turn < 2 * op->iterations; ++turn) {
      const uint32_t outer = turn % 2 != 0 ? 1 : n;
      const uint32_t inner = turn % 2 != 0 ? n : 1;
      for (uint32_t a = 0; a < n; ++a) {
        double sum = op->eps;
        for (uint32_t b = 0; b < n; ++b) sum += m[a * outer + b * inner];
        for (uint32_t b = 0; b < n; ++b) m[a * outer + b * inner] /= sum;
      }
    }
    for (uint32_t i = 0; i < n * n; ++i) f32_at(&comb, r, i / n)[i % n] = (float)m[i];
  }
}

const op_entry model_ops[] = {
    {DS4_OP_RMS_NORM, sizeof(ds4_op_rms_norm), 0, rms_norm},
    {DS4_OP_ROPE_TAIL, sizeof(ds4_op_rope_tail), 0, rope_tail},
    {DS4_OP_QUANT_ROUND_TRIP, sizeof(ds4_op_quant_round_trip), 0, quant_round_trip},
    {DS4_OP_SWIGLU_CLAMP, sizeof(ds4_op_swiglu_clamp), 0, swiglu_clamp},
    {DS4_OP_NORMALIZE_SUM, sizeof(ds4_op_normalize_sum), 0, normalize_sum},
    {DS4_OP_SOFTMAX_SINK, sizeof(ds4_op_softmax_sink), 0, softmax_sink},
    {DS4_OP_SOFTMAX_POOL, sizeof(ds4_op_softmax_pool), DS4_POOL_OVERLAP, softmax_pool},
    {DS4_OP_SINKHORN_SPLIT, sizeof(ds4_op_sinkhorn_split), 0, sinkhorn_split},
    {0, 0, 0, NULL},
};
