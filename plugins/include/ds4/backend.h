/* ds4 backend ABI, major 0: how a separately built shared object becomes a compute backend.
 *
 * A backend is one file `libds4-backend-<name>.so` that carries one ELF note (DS4_BACKEND_NOTE) and
 * exports one function, ds4_backend_entry_0. Everything else goes through two tables of functions:
 * what the host offers (ds4_host_api) and what the backend offers (ds4_backend_api). Ops are data
 * (ops.h).
 *
 * Rules that hold everywhere
 *  - Every struct that grows begins with its size; see DS4_HAS for the only legal presence test.
 *  - All fields have a fixed width, padding is spelled out as `reserved` and is zero, enumerations
 * are uint32_t.
 *  - An unknown enumeration value or flag bit is refused with DS4_E_UNSUPPORTED, never guessed.
 *  - Strings are UTF-8, NUL-terminated. No exception crosses, in either direction.
 *  - While the major is 0 both sides need exactly the same minor; ABI_CHANGES.md tells what
 * changed.
 *
 * Threads: functions without an object and *_create on one device may be called from any thread at
 * once. One stream or one import handle is used by one thread at a time. Different streams are
 * independent.
 *
 * The header compiles alone as C11 and as C++20.
 */
#ifndef DS4_BACKEND_H
#define DS4_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DS4_ABI_MAJOR 0
#define DS4_ABI_MINOR 2

#define DS4_API __attribute__((visibility("default")))

/* True when the table or struct behind `p` is long enough to hold `field` and the field is not null
 * or zero. */
#define DS4_FIELD_END(type, field) (offsetof(type, field) + sizeof(((type*)0)->field))
#define DS4_HAS(type, p, field) (DS4_FIELD_END(type, field) <= (p)->struct_size && (p)->field)

/* ---- status and errors
 * ------------------------------------------------------------------------------------- */

typedef int32_t ds4_status;

#define DS4_OK 0
#define DS4_E_INVALID_ARGUMENT \
  1 /* the caller's mistake: wrong extents, null handle, undeclared overlap */
#define DS4_E_UNSUPPORTED 2   /* use the fallback: composition, another dtype, another backend */
#define DS4_E_OUT_OF_MEMORY 3 /* shrink, or fail the request */
#define DS4_E_NOT_READY 4     /* event_query: the work has not finished */
#define DS4_E_CANCELLED 5     /* should_cancel answered yes */
#define DS4_E_IO 6            /* the host could not deliver expert weights */
#define DS4_E_ABI 7           /* the other side's version cannot be served */
#define DS4_E_DEVICE_LOST 8   /* sticky: only destroy and close are legal afterwards */
#define DS4_E_INTERNAL 9      /* a defect of the backend; text says which */

/* Filled by the callee, owned by the caller; a null pointer is legal wherever one is taken. */
typedef struct ds4_error {
  uint32_t struct_size;
  int32_t code;        /* a ds4_status */
  int64_t native_code; /* cudaError_t, errno, ... or 0 */
  uint32_t op_id;      /* the op that failed, DS4_OP_*, or 0 */
  uint32_t op_tag;     /* its tag (layer << 16 | index in the plan) */
  char text[448];      /* one line, NUL-terminated */
} ds4_error;

/* ---- element types
 * ----------------------------------------------------------------------------------------- */

/* Values below 64 are the type ids of GGUF. */
#define DS4_DTYPE_F32 0u
#define DS4_DTYPE_F16 1u
#define DS4_DTYPE_Q4_0 2u
#define DS4_DTYPE_Q8_0 8u
#define DS4_DTYPE_Q2_K 10u
#define DS4_DTYPE_Q3_K 11u
#define DS4_DTYPE_Q4_K 12u
#define DS4_DTYPE_Q5_K 13u
#define DS4_DTYPE_Q6_K 14u
#define DS4_DTYPE_IQ2_XXS 16u
#define DS4_DTYPE_I32 26u
#define DS4_DTYPE_BF16 30u
#define DS4_DTYPE_MXFP4 39u
/* A KV row of `width` values whose last `row_tail` values are kept in bf16:
 *   (width - row_tail) bytes e4m3; then ceil((width - row_tail) / 64) bytes e8m0, the power-of-two
 * scale of each block of 64; then zero bytes up to a multiple of 4; then row_tail x bf16,
 * little-endian; then zero bytes up to a multiple of 4. 584 bytes for 512 values with tail 64,
 * which begins at byte 456. */
#define DS4_DTYPE_KV_ROW 64u
/* An indexer row of `width` values: ceil(width / 2) bytes e2m1, even index in the low nibble; then
 * ceil(width / 32) bytes e8m0, one a block of 32; then zero bytes up to a multiple of 4. 68 bytes
 * for 128 values. */
#define DS4_DTYPE_INDEX_ROW 65u

/* ---- opaque handles
 * ---------------------------------------------------------------------------------------- */

/* Ownership is a chain: library <- device <- {buffer, weight, import, stream, event, graph}. */
typedef struct ds4_device ds4_device;
typedef struct ds4_buffer ds4_buffer;
typedef struct ds4_stream ds4_stream;
typedef struct ds4_event ds4_event;
typedef struct ds4_weight ds4_weight;
typedef struct ds4_import ds4_import;
typedef struct ds4_graph ds4_graph;

/* A strided window on a buffer. Absent when `buffer` is null.
 * Extents count values, outermost first; strides count bytes, because an encoded row has no whole
 * element size. The innermost stride is the element's size; a row dtype (KV_ROW, INDEX_ROW) ignores
 * it: one row is one unit, and its decoded width is the innermost extent. Entries at and beyond
 * `rank` are zero. Where an op calls a rank-3 view [a, b, width] a list of rows, row index i means
 * (i / b, i % b). */
typedef struct ds4_view {
  ds4_buffer* buffer;
  uint64_t offset; /* bytes */
  uint32_t dtype;
  uint32_t rank; /* 1..4 */
  uint32_t extent[4];
  uint64_t stride[4]; /* bytes */
  uint32_t row_tail;  /* KV_ROW only */
  uint32_t first_row; /* where an op indexes by row of the step, row r lies in row r - first_row:
                         for tiles */
} ds4_view;

/* ---- what the host offers
 * ---------------------------------------------------------------------------------- */

#define DS4_LOG_ERROR 0u
#define DS4_LOG_WARNING 1u
#define DS4_LOG_INFO 2u
#define DS4_LOG_DEBUG 3u
#define DS4_LOG_TRACE 4u

/* Memory kinds of expert views; the same numbers name the rows of a device's memory-kind table. */
#define DS4_MEMORY_DEVICE 0u
#define DS4_MEMORY_UNIFIED 1u
#define DS4_MEMORY_HOST_PINNED 2u
#define DS4_MEMORY_HOST 3u

/* One expert's packed weights, as ds4_backend_api.weight_pack_expert wrote them; valid until
 * experts_release. */
typedef struct ds4_expert_view {
  const void* gate_up; /* gate then up */
  const void* down;
  uint64_t gate_up_bytes;
  uint64_t down_bytes;
  uint32_t memory_kind; /* DS4_MEMORY_* */
  uint32_t reserved0;
} ds4_expert_view;

/* One call on each thread of the host's team; see team_run. */
typedef void (*ds4_team_fn)(void* arg, uint32_t thread, uint32_t threads);

/* Valid until the backend's library is closed. Callbacks may be called from any backend thread, do
 * not block long (experts_acquire excepted) and do not re-enter the backend. Optional ones may be
 * null. */
typedef struct ds4_host_api {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* host_ctx; /* first argument of every callback */

  void (*log)(void* host_ctx, uint32_t level, const char* component, const char* text);
  uint32_t (*log_enabled)(void* host_ctx, uint32_t level);

  /* Counted, limited memory for host-side objects; null when there is none. align is a power of
   * two. */
  void* (*alloc)(void* host_ctx, uint64_t bytes, uint64_t align, const char* tag);
  void (*free)(void* host_ctx, void* p);

  /* Calls fn(arg, thread, threads) once on each thread of the host's pool, thread 0 being the
   * caller, and returns when all have returned. fn must not throw. Not re-entrant. team_barrier
   * joins all threads inside a region. A CPU backend runs one whole enqueue in one region, with
   * static partitions. */
  void (*team_run)(void* host_ctx, ds4_team_fn fn, void* arg);
  void (*team_barrier)(void* host_ctx);
  uint32_t (*team_size)(void* host_ctx);

  /* Residency of expert weights that were imported with DS4_WEIGHT_STREAMED. prefetch is a hint and
   * returns at once; acquire may wait for a disk (one thread of a region calls it, the others wait
   * in team_barrier), fills out[n] and a ticket; views live until release. Null when every expert
   * is resident. */
  void (*experts_prefetch)(void* host_ctx, uint32_t layer, const int32_t* ids, uint32_t n);
  ds4_status (*experts_acquire)(void* host_ctx, uint32_t layer, const int32_t* ids, uint32_t n,
                                ds4_expert_view* out, uint64_t* ticket, ds4_error* err);
  void (*experts_release)(void* host_ctx, uint64_t ticket);

  /* The value of `--backend-option <backend>.<key>=<value>`, or null. Lives as long as the host
   * table. */
  const char* (*get_option)(void* host_ctx, const char* key);
  /* Polled by long imports; non-zero asks to return DS4_E_CANCELLED. */
  uint32_t (*should_cancel)(void* host_ctx);

  /* Null when tracing is off. */
  void (*trace_begin)(void* host_ctx, uint32_t op_tag, const char* name);
  void (*trace_end)(void* host_ctx, uint32_t op_tag);
  void (*trace_counter)(void* host_ctx, const char* name, int64_t value);

  /* A sized sub-table by name, or null. */
  const void* (*get_host_extension)(void* host_ctx, const char* name, uint32_t min_version);
} ds4_host_api;

/* ---- what a backend says of itself
 * -------------------------------------------------------------------------- */

#define DS4_BACKEND_KIND_CPU 1u
#define DS4_BACKEND_KIND_CUDA 2u
#define DS4_BACKEND_KIND_METAL 3u
#define DS4_BACKEND_KIND_OTHER 4u

/* Strings live as long as the library. */
typedef struct ds4_backend_info {
  uint32_t struct_size;
  uint32_t kind;       /* DS4_BACKEND_KIND_*, equal to the note's */
  const char* name;    /* equal to the note's and to the file's */
  const char* version; /* "0.1.0" */
  const char* vendor;
  const char* build; /* compiler, architectures, flags: one line */
  const char* licence;
} ds4_backend_info;

#define DS4_DEVICE_KIND_CPU 1u
#define DS4_DEVICE_KIND_INTEGRATED_GPU 2u
#define DS4_DEVICE_KIND_DISCRETE_GPU 3u
#define DS4_DEVICE_KIND_OTHER 4u

/* Capability bits: each promises a behaviour that ds4-validate tests. */
#define DS4_CAP_ASYNC (1ull << 0)          /* enqueue may return before the work is done */
#define DS4_CAP_EVENTS (1ull << 1)         /* the event functions are there */
#define DS4_CAP_MULTI_STREAM (1ull << 2)   /* streams of one device may run at the same time */
#define DS4_CAP_GRAPH (1ull << 3)          /* extension "ds4.graph" */
#define DS4_CAP_HOST_MAP (1ull << 4)       /* buffer_map works on host-visible kinds */
#define DS4_CAP_UNIFIED_MEMORY (1ull << 5) /* device and host share one physical memory */
#define DS4_CAP_IMPORT_HOST (1ull << 6)    /* weights and buffers can use host pages in place */
#define DS4_CAP_REPACK_CACHE (1ull << 7)   /* weight_export_packed and weight_import_packed */
#define DS4_CAP_PROFILE (1ull << 8)        /* kernel times by op in stats_read */
#define DS4_CAP_DETERMINISTIC (1ull << 9)  /* same inputs, same bits, on one build and device */
#define DS4_CAP_PEER_COPY (1ull << 10)     /* buffer_peer_copy */
#define DS4_CAP_UNLOAD_SAFE \
  (1ull << 11) /* the library leaves no thread and no mapping after a close */
#define DS4_CAP_ROW_INVARIANT \
  (1ull << 12) /* a row's bits do not depend on the other rows of a step */
/* Products with block-quantised weights may round what they multiply to int8: one scale for each
 * block of the weight's type (32 values of Q8_0, 256 of a K or IQ type), the block's largest
 * magnitude / 127. Never with ROUTER or HC_MIX weights, whose results are choices and gates, and
 * never with F32, F16 or BF16 ones. Absent: products are as exact as f32 arithmetic. */
#define DS4_CAP_INT8_ACTIVATIONS (1ull << 13)

#define DS4_SCORE_CANNOT_RUN 0u
#define DS4_SCORE_REFERENCE 10u
#define DS4_SCORE_CPU 100u
#define DS4_SCORE_DEVICE_FAMILY 200u
#define DS4_SCORE_THIS_DEVICE 300u
#define DS4_SCORE_LIMIT 400u /* scores at and above are refused */

typedef struct ds4_memory_kind {
  uint32_t kind; /* DS4_MEMORY_* */
  uint32_t host_visible;
  uint32_t coherent;
  uint32_t alignment;             /* of buffers and of the workspace, bytes */
  uint64_t host_read_bytes_per_s; /* a hint; 0 unknown */
} ds4_memory_kind;

typedef struct ds4_device_info {
  uint32_t struct_size;
  uint32_t kind;         /* DS4_DEVICE_KIND_* */
  char name[64];         /* "NVIDIA GB10" */
  char architecture[32]; /* "sm_121", "x86-64-v4" */
  uint8_t unique_id[16]; /* GPU UUID; CPUs: a hash of package and NUMA set. Equal ids mean the same
                            silicon. */
  char pci_address[16];  /* "0000:01:00.0" or empty */
  uint64_t total_bytes;
  uint64_t free_bytes; /* advisory */
  uint64_t capabilities;
  uint32_t score; /* bands above; 0 needs a reason */
  uint32_t memory_kinds;
  ds4_memory_kind memory[4];
  uint64_t read_bytes_per_s; /* throughput hints, 0 unknown */
  uint64_t int8_ops_per_s;   /* multiply and add count as two */
  uint64_t f16_flops_per_s;  /* likewise */
  char reason[128]; /* why the score is 0, or a remark such as "not yet measured on this device" */
  uint32_t preferred_row_tile; /* a hint: step classes of multiples of it run best; 0 none */
  uint32_t reserved0;
} ds4_device_info;

typedef struct ds4_device_options {
  uint32_t struct_size;
  uint32_t flags; /* DS4_DEVICE_* below */
  /* The host of this device's objects: two runtimes of one process share the library, not the host.
   * Never null; valid until device_close. */
  const struct ds4_host_api* host;
} ds4_device_options;

#define DS4_DEVICE_PROFILE 1u       /* count kernel time by op */
#define DS4_DEVICE_DETERMINISTIC 2u /* architecture decision 11b */
#define DS4_DEVICE_VALIDATE 4u      /* check aliasing and bounds of every descriptor in enqueue */

/* ---- buffers
 * -----------------------------------------------------------------------------------------------
 */

#define DS4_USAGE_WEIGHTS 1u
#define DS4_USAGE_KV 2u
#define DS4_USAGE_ACTIVATION 3u
#define DS4_USAGE_STAGING 4u
#define DS4_USAGE_STEP 5u

/* ---- weights
 * -----------------------------------------------------------------------------------------------
 */

/* What a weight is for; a backend may choose its layout by it. */
#define DS4_ROLE_EMBEDDING 1u   /* [vocab, width] */
#define DS4_ROLE_VECTOR 2u      /* [n]: gains, sinks, biases, HC base and scale */
#define DS4_ROLE_MATRIX 3u      /* [out, in] */
#define DS4_ROLE_GROUPED 4u     /* [groups, out, in]: the grouped output projection */
#define DS4_ROLE_EXPERT_GATE 5u /* [experts, inner, width] */
#define DS4_ROLE_EXPERT_UP 6u   /* [experts, inner, width] */
#define DS4_ROLE_EXPERT_DOWN 7u /* [experts, width, inner] */
#define DS4_ROLE_TOKEN_TABLE 8u /* [vocab, k] i32: experts by token id */
#define DS4_ROLE_WINDOW_TABLE \
  9u /* [ratio, width]: score offsets by position in the compression window */
#define DS4_ROLE_OUTPUT_HEAD 10u /* [vocab, width] */
#define DS4_ROLE_HC_MIX 11u      /* [mixes, streams * width] */
#define DS4_ROLE_ROUTER 12u      /* [experts, width] */
#define DS4_NO_LAYER 0xffffffffu

#define DS4_WEIGHT_STREAMED \
  1u /* expert weights stay with the host; only experts_acquire delivers them */

/* Extents outermost first, values; rows lie contiguous in the source's own block format. */
typedef struct ds4_weight_desc {
  uint32_t struct_size;
  uint32_t dtype;
  uint32_t role; /* DS4_ROLE_* */
  uint32_t layer;
  uint32_t rank;
  uint32_t flags; /* DS4_WEIGHT_* */
  uint32_t extent[4];
  uint64_t bytes;   /* of the source */
  const char* name; /* the tensor's name, for messages; lives during the call */
} ds4_weight_desc;

typedef struct ds4_weight_answer {
  uint32_t struct_size;
  uint32_t accepted;     /* 0: this dtype is not taken for this role; core converts */
  uint32_t in_place;     /* 1: import may keep pointing at the source pages (DS4_IMPORT_IN_PLACE) */
  uint32_t sequential;   /* 1: write calls must come in ascending order */
  uint64_t packed_bytes; /* device memory that the weight will hold; 0 when in place */
  uint64_t chunk_bytes;  /* preferred size of one write; 0 any */
  uint64_t
      expert_bytes[2];  /* streamed experts: packed bytes of gate+up and of down of one expert */
  char fingerprint[64]; /* of the packed layout: backend, version, tiles */
} ds4_weight_answer;

#define DS4_IMPORT_IN_PLACE \
  1u /* one write of all bytes, which stay valid and unchanged until weight_destroy */

/* ---- ops and submission
 * ------------------------------------------------------------------------------------ */

/* Header of every descriptor in ops.h. */
typedef struct ds4_op {
  uint32_t struct_size;
  uint32_t id;    /* DS4_OP_* */
  uint32_t flags; /* op-specific; unknown bits are refused */
  uint32_t tag;   /* layer << 16 | index in the plan: leads any message or number back to a line of
                     the plan */
} ds4_op;

#define DS4_SUPPORT_NO 0u
#define DS4_SUPPORT_SLOW 1u
#define DS4_SUPPORT_NATIVE 2u

typedef struct ds4_op_support {
  uint32_t struct_size;
  uint32_t level;   /* DS4_SUPPORT_* */
  char reason[128]; /* for NO and SLOW */
} ds4_op_support;

/* What one enqueue runs. Results are as if the ops ran in order. Descriptors may be freed when the
 * call returns. */
typedef struct ds4_submission {
  uint32_t struct_size;
  uint32_t count;
  const ds4_op* const* ops;
  ds4_view step; /* the step block: i32 words; ranges and lists of the ops refer to it (ops.h) */
  ds4_view
      workspace; /* scratch of at least workspace_size bytes, u8 as F32 of any rank; absent if 0 */
} ds4_submission;

typedef struct ds4_stats {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t bytes_by_usage[8]; /* indexed by DS4_USAGE_* */
  uint64_t peak_bytes;
  uint64_t ops_run;
  uint64_t graph_launches;
  uint64_t kernel_ns_by_op[128]; /* indexed by op id; zero unless PROFILE */
  uint64_t calls_by_op[128];
} ds4_stats;

/* ---- the backend's table
 * ----------------------------------------------------------------------------------- */

/* R required, o optional (null, or beyond struct_size). `err` may be null everywhere. */
typedef struct ds4_backend_api {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;

  /* R  Facts about the backend; no device work. */
  ds4_status (*describe)(ds4_backend_info* out, ds4_error* err);
  /* R  Fills up to `capacity` devices and the true count. Cheap (50 ms), pure, holds no device
   * memory. A backend without devices gives count 0; device_reason(0) then says why. */
  ds4_status (*enumerate)(ds4_device_info* devices, uint32_t capacity, uint32_t* count,
                          ds4_error* err);
  /* R  Why device `index` has score 0 (or why there is none); a static string, never null. */
  const char* (*device_reason)(uint32_t index);

  /* R  Devices outlive what was created on them; close reports survivors as INVALID_ARGUMENT. */
  ds4_status (*device_open)(uint32_t index, const ds4_device_options* options, ds4_device** out,
                            ds4_error* err);
  ds4_status (*device_close)(ds4_device* device, ds4_error* err);

  /* R  Zero bytes are legal. memory_kind must be in the device's table. Content is undefined. */
  ds4_status (*buffer_create)(ds4_device* device, uint64_t bytes, uint32_t memory_kind,
                              uint32_t usage, ds4_buffer** out, ds4_error* err);
  void (*buffer_destroy)(ds4_buffer* buffer);
  /* R  In stream order. Host memory must stay valid until the stream has passed the copy.
   * buffer_copy within one buffer is legal when the ranges do not overlap. */
  ds4_status (*buffer_write)(ds4_stream* stream, ds4_buffer* dst, uint64_t offset, const void* src,
                             uint64_t bytes, ds4_error* err);
  ds4_status (*buffer_read)(ds4_stream* stream, const ds4_buffer* src, uint64_t offset, void* dst,
                            uint64_t bytes, ds4_error* err);
  ds4_status (*buffer_copy)(ds4_stream* stream, ds4_buffer* dst, uint64_t dst_offset,
                            const ds4_buffer* src, uint64_t src_offset, uint64_t bytes,
                            ds4_error* err);
  ds4_status (*buffer_fill)(ds4_stream* stream, ds4_buffer* dst, uint64_t offset, uint64_t bytes,
                            uint8_t value, ds4_error* err);
  /* o  Host-visible kinds only; the pointer lives until unmap. */
  ds4_status (*buffer_map)(ds4_buffer* buffer, void** out, ds4_error* err);
  void (*buffer_unmap)(ds4_buffer* buffer);
  /* o  Wraps page-aligned host memory that outlives the buffer. */
  ds4_status (*buffer_import_host)(ds4_device* device, void* p, uint64_t bytes, uint32_t usage,
                                   ds4_buffer** out, ds4_error* err);
  /* o  Between devices of this backend. */
  ds4_status (*buffer_peer_copy)(ds4_stream* stream, ds4_buffer* dst, uint64_t dst_offset,
                                 const ds4_buffer* src, uint64_t src_offset, uint64_t bytes,
                                 ds4_error* err);

  /* R  In-order queues. sync waits and returns the first error of the stream's work since the last
   *    sync, with op id and tag, once; work behind a failed op may be skipped. */
  ds4_status (*stream_create)(ds4_device* device, ds4_stream** out, ds4_error* err);
  void (*stream_destroy)(ds4_stream* stream);
  ds4_status (*stream_sync)(ds4_stream* stream, ds4_error* err);
  /* o  All or none (EVENTS). query: OK or NOT_READY. */
  ds4_status (*event_create)(ds4_device* device, ds4_event** out, ds4_error* err);
  void (*event_destroy)(ds4_event* event);
  ds4_status (*event_record)(ds4_event* event, ds4_stream* stream, ds4_error* err);
  ds4_status (*event_query)(ds4_event* event, ds4_error* err);
  ds4_status (*event_wait_host)(ds4_event* event, ds4_error* err);
  ds4_status (*event_wait_stream)(ds4_event* event, ds4_stream* stream, ds4_error* err);

  /* R  Import: query, begin, write any number of chunks (src is free again when write returns),
   * finish (which validates completeness and gives the weight; the import handle is gone whether it
   * succeeds or not). abort gives up. Packed weights never change. */
  ds4_status (*weight_query)(ds4_device* device, const ds4_weight_desc* desc,
                             ds4_weight_answer* out, ds4_error* err);
  ds4_status (*weight_import_begin)(ds4_device* device, const ds4_weight_desc* desc, uint32_t flags,
                                    ds4_import** out, ds4_error* err);
  ds4_status (*weight_import_write)(ds4_import* import, uint64_t offset, const void* src,
                                    uint64_t bytes, ds4_error* err);
  ds4_status (*weight_import_finish)(ds4_import* import, ds4_weight** out, ds4_error* err);
  void (*weight_import_abort)(ds4_import* import);
  void (*weight_destroy)(ds4_weight* weight);
  /* o  Packs expert `expert` of a streamed weight from its source bytes: pure, thread-safe, no
   * allocation. */
  ds4_status (*weight_pack_expert)(const ds4_weight_desc* desc, uint32_t expert, const void* src,
                                   void* dst, ds4_error* err);
  /* o  REPACK_CACHE. export with dst null asks for the size. */
  ds4_status (*weight_export_packed)(const ds4_weight* weight, void* dst, uint64_t capacity,
                                     uint64_t* bytes, ds4_error* err);
  ds4_status (*weight_import_packed)(ds4_device* device, const ds4_weight_desc* desc,
                                     const void* src, uint64_t bytes, ds4_weight** out,
                                     ds4_error* err);

  /* R  Asked at plan time only; views may have null buffers then (dtypes and extents are filled).
   */
  ds4_status (*op_support)(ds4_device* device, const ds4_op* op, ds4_op_support* out,
                           ds4_error* err);
  /* R  Scratch that this list of ops needs at most; no other memory may grow in enqueue. */
  ds4_status (*workspace_size)(ds4_device* device, const ds4_op* const* ops, uint32_t count,
                               uint64_t* bytes, ds4_error* err);
  /* R  Runs the ops in stream order. Allocates nothing. May refuse a descriptor before anything
   * ran, or (ASYNC) report at sync; a failed submission leaves what its ops write undefined. */
  ds4_status (*enqueue)(ds4_stream* stream, const ds4_submission* submission, ds4_error* err);

  /* o */
  ds4_status (*stats_read)(ds4_device* device, ds4_stats* out, ds4_error* err);
  ds4_status (*trim)(ds4_device* device, ds4_error* err);
  /* R  A sized sub-table by name ("ds4.graph"), or null. */
  const void* (*get_extension)(const char* name, uint32_t min_version);
} ds4_backend_api;

/* ---- extension "ds4.graph", version 1
 * ------------------------------------------------------------------------ */

/* A replay gives the same bits as enqueue of the same ops with the same step block. Capture that
 * fails is no error: core goes back to enqueue. */
typedef struct ds4_graph_api {
  uint32_t struct_size;
  uint32_t version;
  uint32_t (*graph_supported)(ds4_device* device, const ds4_op* const* ops, uint32_t count);
  ds4_status (*graph_capture)(ds4_stream* stream, const ds4_submission* submission, ds4_graph** out,
                              ds4_error* err);
  ds4_status (*graph_launch)(ds4_graph* graph, ds4_stream* stream, ds4_error* err);
  void (*graph_destroy)(ds4_graph* graph);
} ds4_graph_api;

/* ---- entry
 * -------------------------------------------------------------------------------------------------
 */

/* The only exported symbol. Does no device work, starts no thread; called twice it gives the same
 * table. */
typedef ds4_status (*ds4_backend_entry_fn)(const ds4_host_api* host, const ds4_backend_api** out,
                                           ds4_error* err);
#define DS4_BACKEND_ENTRY ds4_backend_entry_0
#define DS4_BACKEND_ENTRY_NAME "ds4_backend_entry_0"

/* ---- the ELF note: identity that is read without running code
 * -------------------------------------------------- */

#define DS4_NOTE_OWNER "ds4"
#define DS4_NOTE_TYPE 1u
#define DS4_NOTE_SANITIZED 1u /* flags: built with a sanitizer; host and backend must agree */

/* isa_required: the host checks these against its own processor before it opens the file. */
#define DS4_ISA_X86_64_V2 (1ull << 0)
#define DS4_ISA_X86_64_V3 (1ull << 1)
#define DS4_ISA_X86_64_V4 (1ull << 2)
#define DS4_ISA_AVX512_VNNI (1ull << 3)
#define DS4_ISA_AMX_INT8 (1ull << 4)
#define DS4_ISA_ARM_ASIMD (1ull << 16)
#define DS4_ISA_ARM_DOTPROD (1ull << 17)
#define DS4_ISA_ARM_I8MM (1ull << 18)
#define DS4_ISA_ARM_SVE2 (1ull << 19)

typedef struct ds4_note {
  uint16_t abi_major;
  uint16_t abi_minor_needed;
  uint32_t kind;  /* DS4_BACKEND_KIND_* */
  uint32_t flags; /* DS4_NOTE_* */
  uint32_t reserved0;
  uint64_t isa_required;
  char name[32]; /* [a-z][a-z0-9]*(-[a-z0-9]+)*, NUL-padded; the file is libds4-backend-<name>.so */
  char version[32];
  char vendor[32];
} ds4_note;

/* The note as it lies in section .note.ds4.backend. */
typedef struct ds4_note_record {
  uint32_t owner_bytes; /* 4 */
  uint32_t desc_bytes;
  uint32_t type;
  char owner[4]; /* "ds4" and its NUL */
  ds4_note desc;
} ds4_note_record;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DS4_BUILD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DS4_BUILD_SANITIZED 1
#endif
#endif
#ifndef DS4_BUILD_SANITIZED
#define DS4_BUILD_SANITIZED 0
#endif

/* Put once into one source file of a backend, at file scope. */
#define DS4_BACKEND_NOTE(kind_, isa_, name_, version_, vendor_)                                  \
  __attribute__((                                                                                \
      used, aligned(4),                                                                          \
      section(".note.ds4.backend"))) static const ds4_note_record ds4_backend_note_record = {    \
      4,                                                                                         \
      (uint32_t)sizeof(ds4_note),                                                                \
      DS4_NOTE_TYPE,                                                                             \
      DS4_NOTE_OWNER,                                                                            \
      {DS4_ABI_MAJOR, DS4_ABI_MINOR, (kind_), DS4_BUILD_SANITIZED ? DS4_NOTE_SANITIZED : 0u, 0u, \
       (isa_), name_, version_, vendor_}}

#ifdef __cplusplus
}
#endif

#endif
