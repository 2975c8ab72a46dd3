/* ds4 ops: what a backend is asked to compute, as data.
 *
 * Words
 *  - A *step* evaluates D decode rows of any sessions followed by at most one prefill segment of n
 * contiguous rows of one session. A *row* is one token of one session at one position. Rows of a
 * session are contiguous and ascending.
 *  - The *step block* (ds4_submission.step) is an array of i32 words at a fixed address, written by
 * the host before each step. Its first DS4_STEP_HEADER_WORDS words are the header below; the lists
 * behind it are named by views in the ops. Ops hold no position and no row count, so that a
 * captured graph replays for any step of its class.
 *  - *Ring*: position-addressed storage of the last rows of a session, [slots, capacity, width];
 * position p of slot s lies in row s * capacity + p mod capacity. *Workspace*: this step's own
 * rows. *Pool*: pages of compressed rows.
 *  - An *index list* holds i32. -1 means: scatter_rows and commits skip, gather_rows writes its
 * fill, page_rows passes it on, attention and pooling leave the entry out, grouped_matmul writes a
 * zero row.
 *
 * Precision. Activations are F32; sums run in f32 or wider. The order of a sum
 * depends on the row alone: on its width, or on how many entries it attends to, counted through all
 * its sources; never on other rows, on threads, or on which entry lies in which source. Values that
 * the model itself rounds (ds4_rounding, KV_ROW, INDEX_ROW) are rounded exactly as stated here.
 * Rounding to nearest even everywhere. NaN in, NaN out, unless stated otherwise.
 *
 * Aliasing. Outputs overlap no input, except where an op says "in place": then x and y may be the
 * same view. Sections named "model.md" refer to the model specification: DeepSeek V4 technical
 * description and inference code.
 */
#ifndef DS4_OPS_H
#define DS4_OPS_H

#include "ds4/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the step block
 * ---------------------------------------------------------------------------------------- */

#define DS4_STEP_ROWS 0u          /* rows of this step: decode rows + prefill rows */
#define DS4_STEP_DECODE_ROWS 1u   /* D; the prefill segment begins at row D */
#define DS4_STEP_PREFILL_ROWS 2u  /* n */
#define DS4_STEP_PREFILL_SLOT 3u  /* session slot of the segment, -1 without one */
#define DS4_STEP_PREFILL_BEGIN 4u /* position of its first row */
#define DS4_STEP_LOGITS_ROWS 5u   /* rows of this step whose logits are wanted */
#define DS4_STEP_SERIAL 6u        /* counts steps, for traces */
#define DS4_STEP_EMISSIONS \
  8u /* words 8..11: compressed rows that this step finishes, one word per ratio class */
#define DS4_STEP_HEADER_WORDS 16u
#define DS4_RATIO_CLASSES 4u

#define DS4_SLOT_NONE 0xffffffffu

/* Which rows an op touches: first = begin + (begin_slot names a word ? step[begin_slot] : 0), and
 * count = count_slot names a word ? clamp(step[count_slot] - begin, 0, max) : max. `max` bounds any
 * launch. Row r of the range is row `first + r` of every view indexed by rows (less the view's own
 * first_row). */
typedef struct ds4_range {
  uint32_t max;
  uint32_t count_slot;
  uint32_t begin;
  uint32_t begin_slot;
} ds4_range;

/* ---- shared pieces
 * ----------------------------------------------------------------------------------------- */

/* RoPE of the last `dims` values of a vector, adjacent pairs (model.md 3.5). f_i is computed in
 * double and rounded to f32; the angle is f32(position) * f_i rounded to f32; sine and cosine of
 * that value with accurate range reduction. With DS4_ROPE_YARN f_i is interpolated with factor,
 * beta_fast, beta_slow and original_context. */
typedef struct ds4_rope {
  uint32_t dims; /* even; 0: no rotation */
  uint32_t flags;
  uint32_t original_context;
  uint32_t reserved0;
  double base;
  double factor;
  double beta_fast;
  double beta_slow;
} ds4_rope;

#define DS4_ROPE_YARN 1u
#define DS4_ROPE_INVERSE 2u

/* Rounding of a finished row (model.md 3.6, 3.9): first the optional Hadamard transform over the
 * whole row (natural order, then times width^-0.5); then blocks of `block` values over the first
 * width - tail values go through `format` and back (the last block may be short); then the last
 * `tail` values are rounded to bf16 if TAIL_BF16 is set. FP8: s = 2^ceil(log2(max(amax, 1e-4) /
 * 448)), e4m3fn(clamp(x / s)) * s. FP4: s = 2^ceil(log2(max(amax, 6 * 2^-126) / 6)), nearest of 0
 * .5 1 1.5 2 3 4 6, ties to the even code, times s and sign. The quotients are f32. */
typedef struct ds4_rounding {
  uint32_t format; /* DS4_ROUND_* */
  uint32_t block;
  uint32_t tail;
  uint32_t flags;
} ds4_rounding;

#define DS4_ROUND_NONE 0u
#define DS4_ROUND_FP8_E4M3 1u
#define DS4_ROUND_FP4_E2M1 2u
#define DS4_ROUNDING_HADAMARD 1u
#define DS4_ROUNDING_TAIL_BF16 2u

/* Where an op finds the stored rows that row i of a step may see, in the order in which they are
 * summed. LIST   list [rows, k] i32: row indices, -1 left out. RANGE  list [rows, 2] i32 {begin,
 * count}: entries begin .. begin + count - 1. With wrap = 0 entry e is row e. With wrap > 0 (a ring
 * of that capacity) entry e is row slot[i] * wrap + e mod wrap. PAGES  count [rows] i32: entries 0
 * .. count - 1; entry e is row table[slot[i], e / page_rows] * page_rows + e mod page_rows. */
typedef struct ds4_row_source {
  uint32_t kind; /* DS4_SOURCE_* */
  uint32_t page_rows;
  uint32_t wrap;
  uint32_t reserved0;
  ds4_view rows;  /* [n, width] or [slots, capacity, width]; F32, F16, BF16, KV_ROW or INDEX_ROW */
  ds4_view list;  /* LIST, RANGE */
  ds4_view count; /* PAGES: [rows] i32 */
  ds4_view slot;  /* PAGES and wrapped RANGE: [rows] i32, the session slot of each row */
  ds4_view table; /* PAGES: [slots, pages] i32 */
} ds4_row_source;

#define DS4_SOURCE_NONE 0u
#define DS4_SOURCE_LIST 1u
#define DS4_SOURCE_RANGE 2u
#define DS4_SOURCE_PAGES 3u

/* ---- op ids
 * ------------------------------------------------------------------------------------------------
 */

/* Tier 1: every backend has them. */
#define DS4_OP_COPY_CAST 1u
#define DS4_OP_FILL 2u
#define DS4_OP_GATHER_ROWS 3u
#define DS4_OP_SCATTER_ROWS 4u
#define DS4_OP_PAGE_ROWS 5u
#define DS4_OP_RESOLVE_TOKENS 6u
#define DS4_OP_ADD 7u
#define DS4_OP_MUL 8u
#define DS4_OP_SCALE_ADD 9u
#define DS4_OP_ROW_SUM 10u
#define DS4_OP_UNARY 11u
#define DS4_OP_MATMUL 12u
#define DS4_OP_MATMUL_ACT 13u
#define DS4_OP_GROUPED_MATMUL 14u
#define DS4_OP_RMS_NORM 15u
#define DS4_OP_ROPE_TAIL 16u
#define DS4_OP_QUANT_ROUND_TRIP 17u
#define DS4_OP_SWIGLU_CLAMP 18u
#define DS4_OP_SOFTMAX_SINK 19u
#define DS4_OP_SOFTMAX_POOL 20u
#define DS4_OP_MIX_STREAMS 21u
#define DS4_OP_TOPK 22u
#define DS4_OP_TAKE_COLUMNS 23u
#define DS4_OP_NORMALIZE_SUM 24u
#define DS4_OP_SINKHORN_SPLIT 25u
#define DS4_OP_ATTENTION_ROWS 26u

/* Tier 2: optional; each equals its composition of tier-1 ops (core/plan/lowering/<op>.cpp). */
#define DS4_OP_EMBED_STREAMS 64u
#define DS4_OP_HC_PRE 65u
#define DS4_OP_HC_POST 66u
#define DS4_OP_Q_PROJECT 67u
#define DS4_OP_KV_PROJECT 68u
#define DS4_OP_KV_COMMIT 69u
#define DS4_OP_COMPRESS_PROJECT 70u
#define DS4_OP_COMPRESS_EMIT 71u
#define DS4_OP_COMPRESS_COMMIT 72u
#define DS4_OP_INDEX_SCORE 73u
#define DS4_OP_INDEX_TOPK 74u
#define DS4_OP_ATTN_DECODE 75u
#define DS4_OP_ATTN_PREFILL_WINDOW 76u
#define DS4_OP_ATTN_PREFILL_MIXED 77u
#define DS4_OP_ATTN_INDEXED 78u
#define DS4_OP_ATTN_OUT 79u
#define DS4_OP_ROUTE 80u
#define DS4_OP_MOE_ROUTED 81u
#define DS4_OP_FFN_SHARED 82u
#define DS4_OP_HEAD 83u
#define DS4_OP_SAMPLE_ARGMAX 84u
#define DS4_OP_SAMPLE_TOPK 85u
#define DS4_OP_STEER 86u

/* ============================================================================================================
 */
/* Tier 1 */
/* ============================================================================================================
 */

/* copy_cast: y = x, converted. x, y [rows, width] of any of F32, F16, BF16, KV_ROW, INDEX_ROW; or
 * both I32. KV_ROW and INDEX_ROW encode and decode; encoding a row that already went through its
 * ds4_rounding is exact. */
typedef struct ds4_op_copy_cast {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
} ds4_op_copy_cast;

/* fill: y = value. y [rows, width], F32 or I32 (value cast). */
typedef struct ds4_op_fill {
  ds4_op op;
  ds4_range rows;
  ds4_view y;
  double value;
} ds4_op_fill;

/* gather_rows: y[i] = table[ids[i]], decoded; where ids[i] is -1, every value of y[i] is `fill` (0,
 * or -inf for scores). ids [rows] i32. The table is `weight` [n, width] of any weight dtype (a
 * rank-1 weight is one row), or `x` [n, width] / [a, b, width] when weight is null. y [rows, width]
 * F32, or I32 from an I32 table. An id outside the table other than -1: INVALID_ARGUMENT. */
typedef struct ds4_op_gather_rows {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* weight;
  ds4_view x, ids, y;
  double fill;
} ds4_op_gather_rows;

/* scatter_rows: y[ids[i]] = x[i], encoded to y's dtype; -1 skips. ids [rows] i32; x [rows, width]
 * F32; y [n, width] or [a, b, width]. Two rows never name the same destination. */
typedef struct ds4_op_scatter_rows {
  ds4_op op;
  ds4_range rows;
  ds4_view x, ids, y;
} ds4_op_scatter_rows;

/* page_rows: physical[i, k] = table[slot[i], ids[i, k] / page_rows] * page_rows + ids[i, k] mod
 * page_rows; -1 stays -1. ids, physical [rows, k] i32; slot [rows] i32; table [slots, pages] i32.
 * In place. */
typedef struct ds4_op_page_rows {
  ds4_op op;
  ds4_range rows;
  ds4_view ids, slot, table, physical;
  uint32_t page_rows;
  uint32_t reserved0;
} ds4_op_page_rows;

/* resolve_tokens: y[i] = tokens[i] >= 0 ? tokens[i] : sampled[-1 - tokens[i]]. tokens, y [rows]
 * i32; sampled [n] i32: the ids that the previous step chose on the device. */
typedef struct ds4_op_resolve_tokens {
  ds4_op op;
  ds4_range rows;
  ds4_view tokens, sampled, y;
} ds4_op_resolve_tokens;

/* add, mul: y = x + b, y = x * b. x, y [rows, width] or [rows, k, width] F32; b is `weight` [width]
 * or [1], repeated along the outer extents, or else view b of x's rank and extents, or with
 * innermost extent 1 (one value a vector). In place. */
typedef struct ds4_op_binary {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* weight;
  ds4_view x, b, y;
} ds4_op_binary;

/* scale_add: y = scale * x + offset. x, y [rows, width] F32. In place. */
typedef struct ds4_op_scale_add {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
  double scale, offset;
} ds4_op_scale_add;

/* row_sum: y[i, c] = sum over k ascending of x[i, k, c]. x [rows, k, c] F32, y [rows, c] F32. */
typedef struct ds4_op_row_sum {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
} ds4_op_row_sum;

/* unary: y = f(x), element by element. x, y [rows, width] F32. In place.
 * sqrt_softplus: sqrt(z > 20 ? z : log1p(exp(z))) (model.md 3.12). */
typedef struct ds4_op_unary {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
  uint32_t function; /* DS4_UNARY_* */
  uint32_t reserved0;
} ds4_op_unary;

#define DS4_UNARY_SIGMOID 1u
#define DS4_UNARY_SILU 2u
#define DS4_UNARY_RELU 3u
#define DS4_UNARY_SQRT_SOFTPLUS 4u

/* matmul: y[i, o] = sum over c of x[i, c] * w[o, c]; with DS4_MATMUL_ACCUMULATE y += that. x [rows,
 * in] F32, weight [out, in] (a rank-3 weight is read as [a * b, in], a rank-1 weight as [1, in]), y
 * [rows, out] F32. */
typedef struct ds4_op_matmul {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* weight;
  ds4_view x, y;
} ds4_op_matmul;

#define DS4_MATMUL_ACCUMULATE 1u

/* matmul_act: y[i, h, e] = sum over d of q[i, h, d] * key(i, e)[d] over the entries e of `keys` for
 * row i; -inf in the columns beyond the last entry. q [rows, heads, dim] F32, y [rows, heads, n]
 * F32. keys: PAGES or LIST; an entry left out (-1) gives -inf. */
typedef struct ds4_op_matmul_act {
  ds4_op op;
  ds4_range rows;
  ds4_view q;
  ds4_row_source keys;
  ds4_view y;
} ds4_op_matmul_act;

/* grouped_matmul: y[i, k] = w[g] x[i, k'] with g = ids[i, k], or g = k when ids is absent; k' = k,
 * or 0 when x has one row per i. weight [groups, out, in]; x [rows, k or 1, in] F32; ids [rows, k]
 * i32; y [rows, k, out] F32. id -1: y[i, k] = 0. */
typedef struct ds4_op_grouped_matmul {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* weight;
  ds4_view x, ids, y;
} ds4_op_grouped_matmul;

/* rms_norm: y = gain * x / sqrt(mean(x^2) + eps) over the innermost extent. x, y [rows, width] or
 * [rows, groups, width] F32; gain [width], or null for the plain norm. In place. */
typedef struct ds4_op_rms_norm {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* gain;
  ds4_view x, y;
  double eps;
} ds4_op_rms_norm;

/* rope_tail: rotates the last rope.dims values of each vector by its row's position. x, y [rows,
 * width] or [rows, heads, width] F32; positions [rows] i32. The other values are copied. In place.
 */
typedef struct ds4_op_rope_tail {
  ds4_op op;
  ds4_range rows;
  ds4_view x, positions, y;
  ds4_rope rope;
} ds4_op_rope_tail;

/* quant_round_trip: y = what is left of x after `rounding`, each vector of the innermost extent by
 * itself. x, y [rows, width] or [rows, heads, width] F32. Hadamard needs a power of two as width.
 * In place. */
typedef struct ds4_op_quant_round_trip {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
  ds4_rounding rounding;
} ds4_op_quant_round_trip;

/* swiglu_clamp: y = silu(min(gate, limit)) * clamp(up, -limit, limit) * weight; limit <= 0 means no
 * clamp. gate, up, y [rows, width] or [rows, k, width] F32; weight absent (1), or [rows, 1] /
 * [rows, k] F32, one value a vector. y may be gate. */
typedef struct ds4_op_swiglu_clamp {
  ds4_op op;
  ds4_range rows;
  ds4_view gate, up, weight, y;
  double limit;
} ds4_op_swiglu_clamp;

/* softmax_sink: y[i, h] = exp(x - m) / (sum of exp(x - m) + exp(sink[h] - m)), m the maximum over
 * all of them; sink null: no sink. A row of only -inf without a sink gives 0. x, y [rows, heads, n]
 * F32, sink [heads]. In place. */
typedef struct ds4_op_softmax_sink {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* sink;
  ds4_view x, y;
} ds4_op_softmax_sink;

/* softmax_pool (model.md 3.8): for each column d, y[i, d] = sum over e of softmax_e(score_e[d]) *
 * value_e[d] over the entries e of row i. Pair rows hold values then scores, each `columns` =
 * width, or 2 * width with DS4_POOL_OVERLAP. list [rows, span] i32 counts through `ring` ([slots,
 * capacity, 2 * columns] F32) and then `work` ([n, 2 * columns] F32): index r < slots * capacity is
 * a ring row, else row r - slots * capacity of work; -1 is left out. With OVERLAP the first span /
 * 2 entries use the first `width` columns, the others the second. A row of only -1 gives 0. y
 * [rows, width] F32. */
typedef struct ds4_op_softmax_pool {
  ds4_op op;
  ds4_range rows;
  ds4_view ring, work, list, y;
} ds4_op_softmax_pool;

#define DS4_POOL_OVERLAP 1u

/* mix_streams: y[i, m] = sum over n of a[i, m, n] * x[i, n]; with TRANSPOSE a[i, n, m] is read
 * instead; with ACCUMULATE y += that. a [rows, m, n] F32 ([rows, n, m] transposed), x [rows, n,
 * width] F32, y [rows, m, width] F32. */
typedef struct ds4_op_mix_streams {
  ds4_op op;
  ds4_range rows;
  ds4_view a, x, y;
} ds4_op_mix_streams;

#define DS4_MIX_TRANSPOSE 1u
#define DS4_MIX_ACCUMULATE 2u

/* topk: the ids of the k largest of x[i, 0 .. count[i] - 1], ties to the lower id, NaN after every
 * number, -inf never chosen; -1 where there are fewer. By descending value, or by ascending id (-1
 * last) with DS4_TOPK_ASCENDING_IDS. x [rows, n] F32; count [rows] i32 or absent (n); ids [rows, k]
 * i32; values [rows, k] F32 or absent (-inf with -1). */
typedef struct ds4_op_topk {
  ds4_op op;
  ds4_range rows;
  ds4_view x, count, ids, values;
} ds4_op_topk;

#define DS4_TOPK_ASCENDING_IDS 1u

/* take_columns: y[i, k] = x[i, ids[i, k]]; -1 gives 0. x [rows, n] F32, ids [rows, k] i32, y [rows,
 * k] F32. */
typedef struct ds4_op_take_columns {
  ds4_op op;
  ds4_range rows;
  ds4_view x, ids, y;
} ds4_op_take_columns;

/* normalize_sum: y = x / max(sum of x, floor) * scale. x, y [rows, k] F32. In place. */
typedef struct ds4_op_normalize_sum {
  ds4_op op;
  ds4_range rows;
  ds4_view x, y;
  double floor, scale;
} ds4_op_normalize_sum;

/* sinkhorn_split (model.md 3.2): mixes [rows, (2 + C) * C] F32 -> pre [rows, C], post [rows, C],
 * comb [rows, C, C] (source, destination). scale [3], base [(2 + C) * C]. */
typedef struct ds4_op_sinkhorn_split {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* scale;
  const ds4_weight* base;
  ds4_view mixes, pre, post, comb;
  double eps;
  uint32_t iterations;
  uint32_t reserved0;
} ds4_op_sinkhorn_split;

/* attention_rows, and tier 2: attn_decode, attn_prefill_window, attn_prefill_mixed, attn_indexed
 * (model.md 3.10). Every stored row is key and value. Over the entries of the three sources in
 * order (ring, workspace, pool): l = (q[h] . row) * scale; y[h] = sum of exp(l - m) * row /
 * (exp(sink[h] - m) + sum of exp(l - m)). q, y [rows, heads, width] F32; sink [heads] or null. The
 * tier-2 ids then rotate the last rope.dims values of y[h] back by the row's own position
 * (rope.flags has INVERSE); attention_rows needs rope.dims = 0. attn_decode          pool NONE or
 * PAGES, any rows      attn_prefill_window  pool NONE attn_prefill_mixed   pool PAGES attn_indexed
 * pool LIST */
typedef struct ds4_op_attention {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* sink;
  ds4_view q, positions, y;
  ds4_row_source source[3];
  ds4_rope rope;
  double scale;
} ds4_op_attention;

/* ============================================================================================================
 */
/* Tier 2 */
/* ============================================================================================================
 */

/* embed_streams: x[i, c] = table[tokens[i]] for every stream c. tokens [rows] i32; weight [vocab,
 * width]; x [rows, streams, width]. = gather_rows, then one copy_cast per stream. */
typedef struct ds4_op_embed_streams {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* weight;
  ds4_view tokens, x;
} ds4_op_embed_streams;

/* hc_pre (model.md 3.2): y = rms_norm(sum over c of pre[c] * x[c]; gain), and post, comb for
 * hc_post. x [rows, C, width]; fn [(2 + C) * C, C * width]; y [rows, width]; post [rows, C]; comb
 * [rows, C, C]. = rms_norm (plain, over C * width), matmul fn, sinkhorn_split, mix_streams,
 * rms_norm. */
typedef struct ds4_op_hc_pre {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* fn;
  const ds4_weight* scale;
  const ds4_weight* base;
  const ds4_weight* gain;
  ds4_view x, y, post, comb;
  double eps, hc_eps;
  uint32_t iterations;
  uint32_t reserved0;
} ds4_op_hc_pre;

/* hc_post (model.md 3.3): y[k] = post[k] * out + sum over j of comb[j, k] * x[j]. out [rows,
 * width]; x, y [rows, C, width], y is not x. = mix_streams by post, mix_streams by comb transposed.
 */
typedef struct ds4_op_hc_post {
  ds4_op op;
  ds4_range rows;
  ds4_view x, out, post, comb, y;
} ds4_op_hc_post;

/* q_project (model.md 3.4): qr = rms_norm(wq_a u; gain); q = rope_tail(per-head plain rms_norm(wq_b
 * qr)). u [rows, width]; qr [rows, rank]; q [rows, heads, head_dim]. = matmul, rms_norm, matmul,
 * rms_norm, rope_tail. */
typedef struct ds4_op_q_project {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* wq_a;
  const ds4_weight* gain;
  const ds4_weight* wq_b;
  ds4_view u, positions, qr, q;
  ds4_rope rope;
  double eps;
} ds4_op_q_project;

/* kv_project (model.md 3.6): kv = rounding(rope_tail(rms_norm(wkv u; gain))), into step workspace.
 * kv [rows, head_dim] F32. A row carries its whole rounding here, so it equals the stored and
 * decoded row bit for bit. = matmul, rms_norm, rope_tail, quant_round_trip. */
typedef struct ds4_op_kv_project {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* wkv;
  const ds4_weight* gain;
  ds4_view u, positions, kv;
  ds4_rope rope;
  ds4_rounding rounding;
  double eps;
} ds4_op_kv_project;

/* kv_commit, compress_commit: ring[ids[i]] = x[i], encoded; -1 skips. After the last reader of the
 * ring in this layer. x [rows, width] F32; ids [rows] i32; ring [slots, capacity, width] KV_ROW or
 * F32. = scatter_rows. */
typedef ds4_op_scatter_rows ds4_op_commit;

/* compress_project (model.md 3.8): pairs[i] = {wkv u, wgate u + ape[position mod ratio]}. u [rows,
 * width]; wkv, wgate [columns, width]; ape [ratio, columns]; pairs [rows, 2 * columns] F32;
 * ape_rows [rows] i32 = position mod ratio. = matmul, matmul, gather_rows, add. */
typedef struct ds4_op_compress_project {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* wkv;
  const ds4_weight* wgate;
  const ds4_weight* ape;
  ds4_view u, ape_rows, pairs;
} ds4_op_compress_project;

/* compress_emit (model.md 3.8, 3.9): finishes compressed rows: pool[ids[e]] =
 * rounding(rope_tail(rms_norm(softmax_pool(e); gain))), encoded. The range counts emissions. ring,
 * work, list as softmax_pool; positions [emissions] i32: first position of the window; ids
 * [emissions] i32: page rows, -1 skips; pool [n, width] KV_ROW, INDEX_ROW or F32.
 * = softmax_pool, rms_norm, rope_tail, quant_round_trip, scatter_rows. */
typedef struct ds4_op_compress_emit {
  ds4_op op; /* flags: DS4_POOL_OVERLAP */
  ds4_range rows;
  const ds4_weight* gain;
  ds4_view ring, work, list, positions, ids, pool;
  ds4_rope rope;
  ds4_rounding rounding;
  double eps;
} ds4_op_compress_emit;

/* index_score (model.md 3.9): scores[i, e] = sum over h of w[i, h] * max(0, qi[i, h] . key(i, e)),
 * with qi = rounding(rope_tail(wq_b qr)) and w = (proj u) * scale.
 * qr [rows, rank]; u [rows, width]; wq_b [heads * dim, rank]; proj [heads, width]; keys PAGES;
 * scores [rows, n] F32. = matmul, rope_tail, quant_round_trip, matmul, scale_add, matmul_act, unary
 * relu, mul, row_sum. The columns beyond the visible entries hold no meaning there; index_topk
 * reads only `count` of them. */
typedef struct ds4_op_index_score {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* wq_b;
  const ds4_weight* proj;
  ds4_view qr, u, positions;
  ds4_row_source keys;
  ds4_view scores;
  ds4_rope rope;
  ds4_rounding rounding;
  double scale;
  uint32_t heads;
  uint32_t dim;
} ds4_op_index_score;

/* index_topk: ids[i] = the k best of scores[i, 0 .. count[i] - 1], ascending, -1 last; ties to the
 * lower id. scores [rows, n] F32; count [rows] i32; ids [rows, k] i32: entries of the row's own
 * visible list (page_rows maps them). = topk. */
typedef struct ds4_op_index_topk {
  ds4_op op;
  ds4_range rows;
  ds4_view scores, count, ids;
} ds4_op_index_topk;

/* attn_out (model.md 3.11): y = wo_b concat over g of (wo_a[g] o[group g]). o [rows, heads,
 * head_dim] read as [rows, groups, in]; wo_a [groups, rank, in]; wo_b [width, groups * rank]; y
 * [rows, width]. = grouped_matmul, matmul. */
typedef struct ds4_op_attn_out {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* wo_a;
  const ds4_weight* wo_b;
  ds4_view o, y;
  uint32_t groups, rank; /* equal to wo_a's */
} ds4_op_attn_out;

/* route (model.md 3.12): p = sqrt_softplus(gate v); ids = top-k of p + bias by descending score, or
 * row tokens[i] of `table` on hash-routed layers; weights = p[ids] / max(sum, floor) * scale. gate
 * [experts, width]; bias [experts] or null; table [vocab, k] I32 or null; tokens [rows] i32, rows
 * of the table; ids [rows, k] i32; weights [rows, k] F32. = matmul, unary, add, topk (or
 * gather_rows), take_columns, normalize_sum. */
typedef struct ds4_op_route {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* gate;
  const ds4_weight* bias;
  const ds4_weight* table;
  ds4_view v, tokens, ids, weights;
  double floor, scale;
  uint32_t experts; /* equal to gate's */
  uint32_t reserved0;
} ds4_op_route;

/* moe_routed (model.md 3.12): y = sum over k of down[e_k] (swiglu_clamp(gate[e_k] v, up[e_k] v;
 * limit) * weights[k]), k ascending. v, y [rows, width]; gate, up [experts, inner, width]; down
 * [experts, width, inner]; ids [rows, k] i32; weights [rows, k] F32. = grouped_matmul,
 * grouped_matmul, swiglu_clamp, grouped_matmul, row_sum. */
typedef struct ds4_op_moe_routed {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* gate;
  const ds4_weight* up;
  const ds4_weight* down;
  ds4_view v, ids, weights, y;
  double limit;
  uint32_t inner; /* equal to gate's */
  uint32_t reserved0;
} ds4_op_moe_routed;

/* ffn_shared: y += down (swiglu_clamp(gate v, up v; limit)); without DS4_MATMUL_ACCUMULATE y =
 * that. gate, up [inner, width]; down [width, inner]. = matmul, matmul, swiglu_clamp, matmul. */
typedef struct ds4_op_ffn_shared {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* gate;
  const ds4_weight* up;
  const ds4_weight* down;
  ds4_view v, y;
  double limit;
  uint32_t inner; /* equal to gate's */
  uint32_t reserved0;
} ds4_op_ffn_shared;

/* head (model.md 3.12): logits[i] = output rms_norm(sum over c of pre[c] * x[r, c]; gain) for row r
 * = ids[i]. x [step rows, C, width]; ids [logits rows] i32; fn [C, C * width]; scale [1]; base [C];
 * gain [width]; output [vocab, width]; logits [logits rows, vocab] F32. pre[c] = sigmoid(mix[c] *
 * scale + base[c]) + hc_eps. The range counts logits rows. = gather_rows, rms_norm, matmul, mul,
 * add, unary, scale_add, mix_streams, rms_norm, matmul. */
typedef struct ds4_op_head {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* fn;
  const ds4_weight* scale;
  const ds4_weight* base;
  const ds4_weight* gain;
  const ds4_weight* output;
  ds4_view x, ids, logits;
  double eps, hc_eps;
} ds4_op_head;

/* sample_argmax: ids[i] = the column of the largest logit, ties to the lower id. logits [rows,
 * vocab] F32, ids [rows] i32. sample_topk: the k largest by descending value, with values. ids,
 * values [rows, k]. = topk. */
typedef ds4_op_topk ds4_op_sample;

/* steer: x[i, c] -= scale * (x[i, c] . direction) * direction for every stream c. x [rows, C,
 * width] F32, in place; direction [width], a unit vector. = for each stream matmul, fill,
 * gather_rows, mul, scale_add, add. */
typedef struct ds4_op_steer {
  ds4_op op;
  ds4_range rows;
  const ds4_weight* direction;
  ds4_view x;
  double scale;
} ds4_op_steer;

#ifdef __cplusplus
}
#endif

#endif
