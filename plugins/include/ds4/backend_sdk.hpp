/// ds4 backend SDK: what the C++ side of every backend writes alike, and no kernel.
///
/// Header-only, compiled into each plugin, standard library only. Holds the fence that keeps
/// exceptions inside, error texts without allocation, names and sizes of the ops, row dtypes,
/// overflow-safe bounds of views, ranges of the step block and the iteration of row sources.
#ifndef DS4_BACKEND_SDK_HPP
#define DS4_BACKEND_SDK_HPP

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <new>
#include <string_view>
#include <type_traits>

#include "ds4/backend.h"
#include "ds4/ops.h"

namespace ds4::sdk {

// ---- texts and errors ---------------------------------------------------------------------------

/// One line of text in a fixed buffer: appending never allocates and never overruns.
class Message {
 public:
  Message() noexcept = default;
  template <class... Parts>
  requires(sizeof...(Parts) > 0) explicit Message(const Parts&... parts) noexcept {
    (append(parts), ...);
  }

  Message& append(std::string_view text) noexcept {
    const std::size_t room = sizeof(text_) - 1 - size_;
    const std::size_t taken = text.size() < room ? text.size() : room;
    std::memcpy(text_ + size_, text.data(), taken);
    size_ += taken;
    text_[size_] = '\0';
    return *this;
  }
  Message& append(const char* text) noexcept { return append(std::string_view(text)); }
  template <class Integer>
  requires std::is_integral_v<Integer> Message& append(Integer value) noexcept {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return append(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }

  [[nodiscard]] const char* c_str() const noexcept { return text_; }
  [[nodiscard]] std::string_view view() const noexcept { return {text_, size_}; }

 private:
  char text_[448] = {};
  std::size_t size_ = 0;
};

/// Copies text into a fixed array of a C struct, cut to fit and terminated.
template <std::size_t N>
void copy_text(char (&out)[N], std::string_view text) noexcept {
  const std::size_t taken = text.size() < N - 1 ? text.size() : N - 1;
  std::memset(out, 0, N);
  std::memcpy(out, text.data(), taken);
}

/// Fills a caller's error as far as its struct_size reaches; null is legal.
inline void fill_error(ds4_error* err, ds4_status code, std::string_view text,
                       std::uint32_t op_id = 0, std::uint32_t op_tag = 0,
                       std::int64_t native_code = 0) noexcept {
  if (err == nullptr) return;
  const std::uint32_t size = err->struct_size;
  if (size >= DS4_FIELD_END(ds4_error, code)) err->code = code;
  if (size >= DS4_FIELD_END(ds4_error, native_code)) err->native_code = native_code;
  if (size >= DS4_FIELD_END(ds4_error, op_id)) err->op_id = op_id;
  if (size >= DS4_FIELD_END(ds4_error, op_tag)) err->op_tag = op_tag;
  if (size >= DS4_FIELD_END(ds4_error, text)) copy_text(err->text, text);
}

/// What a function body throws to leave through the fence with a code and a text.
class failure : public std::exception {
 public:
  template <class... Parts>
  explicit failure(ds4_status code, const Parts&... parts) noexcept
      : code_(code), message_(parts...) {}

  failure& at_op(const ds4_op& op) noexcept {
    op_id_ = op.id;
    op_tag_ = op.tag;
    return *this;
  }
  failure& native(std::int64_t code) noexcept {
    native_ = code;
    return *this;
  }

  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] ds4_status code() const noexcept { return code_; }
  [[nodiscard]] std::uint32_t op_id() const noexcept { return op_id_; }
  [[nodiscard]] std::uint32_t op_tag() const noexcept { return op_tag_; }
  [[nodiscard]] std::int64_t native_code() const noexcept { return native_; }

 private:
  ds4_status code_;
  std::uint32_t op_id_ = 0;
  std::uint32_t op_tag_ = 0;
  std::int64_t native_ = 0;
  Message message_;
};

/// Runs the body of an exported function; whatever it throws becomes a code and a text.
/// The body returns a ds4_status or nothing (OK).
template <class F>
ds4_status fence(ds4_error* err, F&& body) noexcept {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      body();
      return DS4_OK;
    } else {
      return body();
    }
  } catch (const failure& f) {
    fill_error(err, f.code(), f.what(), f.op_id(), f.op_tag(), f.native_code());
    return f.code();
  } catch (const std::bad_alloc&) {
    fill_error(err, DS4_E_OUT_OF_MEMORY, "host memory is exhausted");
    return DS4_E_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    fill_error(err, DS4_E_INTERNAL, e.what());
    return DS4_E_INTERNAL;
  } catch (...) {
    fill_error(err, DS4_E_INTERNAL, "an exception of unknown type");
    return DS4_E_INTERNAL;
  }
}

/// Throws INVALID_ARGUMENT when a handle or an out pointer is null.
template <class T>
T& need(T* pointer, const char* what) {
  if (pointer == nullptr) throw failure(DS4_E_INVALID_ARGUMENT, what, " is null");
  return *pointer;
}

/// Throws ABI when a struct of the caller is shorter than what this backend reads or writes.
template <class T>
T& need_struct(T* pointer, const char* what) {
  T& value = need(pointer, what);
  if (value.struct_size < sizeof(T)) {
    throw failure(DS4_E_ABI, what, ": struct_size is ", value.struct_size, ", this backend needs ",
                  sizeof(T));
  }
  return value;
}

// ---- checked sizes ------------------------------------------------------------------------------

inline constexpr std::uint64_t kTooLarge = std::numeric_limits<std::uint64_t>::max();

/// Saturating: anything that does not fit is kTooLarge, which no buffer can hold.
constexpr std::uint64_t sat_add(std::uint64_t a, std::uint64_t b) noexcept {
  return a > kTooLarge - b ? kTooLarge : a + b;
}
constexpr std::uint64_t sat_mul(std::uint64_t a, std::uint64_t b) noexcept {
  return b != 0 && a > kTooLarge / b ? kTooLarge : a * b;
}

/// True when [offset, offset + bytes) lies in a buffer of `size` bytes.
constexpr bool fits(std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) noexcept {
  return offset <= size && bytes <= size - offset;
}

// ---- element types ------------------------------------------------------------------------------

constexpr std::string_view dtype_name(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
      return "F32";
    case DS4_DTYPE_F16:
      return "F16";
    case DS4_DTYPE_Q4_0:
      return "Q4_0";
    case DS4_DTYPE_Q8_0:
      return "Q8_0";
    case DS4_DTYPE_Q2_K:
      return "Q2_K";
    case DS4_DTYPE_Q3_K:
      return "Q3_K";
    case DS4_DTYPE_Q4_K:
      return "Q4_K";
    case DS4_DTYPE_Q5_K:
      return "Q5_K";
    case DS4_DTYPE_Q6_K:
      return "Q6_K";
    case DS4_DTYPE_IQ2_XXS:
      return "IQ2_XXS";
    case DS4_DTYPE_I32:
      return "I32";
    case DS4_DTYPE_BF16:
      return "BF16";
    case DS4_DTYPE_MXFP4:
      return "MXFP4";
    case DS4_DTYPE_KV_ROW:
      return "KV_ROW";
    case DS4_DTYPE_INDEX_ROW:
      return "INDEX_ROW";
    default:
      return "";
  }
}
constexpr bool known_dtype(std::uint32_t dtype) noexcept {
  return !dtype_name(dtype).empty();
}

/// Values and bytes of one block of a weight's format; {0, 0} for types that no weight has.
struct BlockShape {
  std::uint32_t values;
  std::uint32_t bytes;
};
constexpr BlockShape block_shape(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
    case DS4_DTYPE_I32:
      return {1, 4};
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
      return {1, 2};
    case DS4_DTYPE_Q4_0:
      return {32, 18};
    case DS4_DTYPE_Q8_0:
      return {32, 34};
    case DS4_DTYPE_MXFP4:
      return {32, 17};
    case DS4_DTYPE_Q2_K:
      return {256, 84};
    case DS4_DTYPE_Q3_K:
      return {256, 110};
    case DS4_DTYPE_Q4_K:
      return {256, 144};
    case DS4_DTYPE_Q5_K:
      return {256, 176};
    case DS4_DTYPE_Q6_K:
      return {256, 210};
    case DS4_DTYPE_IQ2_XXS:
      return {256, 66};
    default:
      return {0, 0};
  }
}

constexpr bool is_row_dtype(std::uint32_t dtype) noexcept {
  return dtype == DS4_DTYPE_KV_ROW || dtype == DS4_DTYPE_INDEX_ROW;
}
/// Bytes of one value of a view's dtype; 0 for row dtypes and block formats.
constexpr std::uint32_t element_bytes(std::uint32_t dtype) noexcept {
  const BlockShape shape = block_shape(dtype);
  return shape.values == 1 ? shape.bytes : 0;
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) noexcept {
  return sat_add(value, step - 1) / step * step;
}
constexpr std::uint64_t ceil_div(std::uint64_t value, std::uint64_t by) noexcept {
  return value / by + (value % by != 0 ? 1 : 0);
}

/// Where the parts of an encoded row begin, in bytes.
struct RowLayout {
  std::uint64_t codes;   ///< always 0
  std::uint64_t scales;  ///< e8m0, one a block
  std::uint64_t tail;    ///< bf16 values; KV_ROW only
  std::uint64_t bytes;   ///< of the whole row, padded
};
constexpr RowLayout kv_row_layout(std::uint32_t width, std::uint32_t tail) noexcept {
  const std::uint64_t coded = width - (tail < width ? tail : width);
  const std::uint64_t tail_at = round_up(coded + ceil_div(coded, 64), 4);
  return {0, coded, tail_at, round_up(tail_at + 2 * std::uint64_t{tail}, 4)};
}
constexpr RowLayout index_row_layout(std::uint32_t width) noexcept {
  const std::uint64_t codes = ceil_div(width, 2);
  const std::uint64_t end = codes + ceil_div(width, 32);
  return {0, codes, end, round_up(end, 4)};
}
static_assert(kv_row_layout(512, 64).bytes == 584 && kv_row_layout(512, 64).tail == 456);
static_assert(index_row_layout(128).bytes == 68);

/// Bytes of the innermost extent of a view: one row of values, or one encoded row.
constexpr std::uint64_t row_bytes(std::uint32_t dtype, std::uint32_t width,
                                  std::uint32_t tail) noexcept {
  if (dtype == DS4_DTYPE_KV_ROW) return kv_row_layout(width, tail).bytes;
  if (dtype == DS4_DTYPE_INDEX_ROW) return index_row_layout(width).bytes;
  return sat_mul(width, element_bytes(dtype));
}

// ---- ops ----------------------------------------------------------------------------------------

struct OpInfo {
  std::uint32_t id;
  std::uint32_t bytes;  ///< of the descriptor
  std::uint32_t flags;  ///< the bits that the op knows
  std::string_view name;
};

inline constexpr OpInfo kOps[] = {
    {DS4_OP_COPY_CAST, sizeof(ds4_op_copy_cast), 0, "copy_cast"},
    {DS4_OP_FILL, sizeof(ds4_op_fill), 0, "fill"},
    {DS4_OP_GATHER_ROWS, sizeof(ds4_op_gather_rows), 0, "gather_rows"},
    {DS4_OP_SCATTER_ROWS, sizeof(ds4_op_scatter_rows), 0, "scatter_rows"},
    {DS4_OP_PAGE_ROWS, sizeof(ds4_op_page_rows), 0, "page_rows"},
    {DS4_OP_RESOLVE_TOKENS, sizeof(ds4_op_resolve_tokens), 0, "resolve_tokens"},
    {DS4_OP_ADD, sizeof(ds4_op_binary), 0, "add"},
    {DS4_OP_MUL, sizeof(ds4_op_binary), 0, "mul"},
    {DS4_OP_SCALE_ADD, sizeof(ds4_op_scale_add), 0, "scale_add"},
    {DS4_OP_ROW_SUM, sizeof(ds4_op_row_sum), 0, "row_sum"},
    {DS4_OP_UNARY, sizeof(ds4_op_unary), 0, "unary"},
    {DS4_OP_MATMUL, sizeof(ds4_op_matmul), DS4_MATMUL_ACCUMULATE, "matmul"},
    {DS4_OP_MATMUL_ACT, sizeof(ds4_op_matmul_act), 0, "matmul_act"},
    {DS4_OP_GROUPED_MATMUL, sizeof(ds4_op_grouped_matmul), 0, "grouped_matmul"},
    {DS4_OP_RMS_NORM, sizeof(ds4_op_rms_norm), 0, "rms_norm"},
    {DS4_OP_ROPE_TAIL, sizeof(ds4_op_rope_tail), 0, "rope_tail"},
    {DS4_OP_QUANT_ROUND_TRIP, sizeof(ds4_op_quant_round_trip), 0, "quant_round_trip"},
    {DS4_OP_SWIGLU_CLAMP, sizeof(ds4_op_swiglu_clamp), 0, "swiglu_clamp"},
    {DS4_OP_SOFTMAX_SINK, sizeof(ds4_op_softmax_sink), 0, "softmax_sink"},
    {DS4_OP_SOFTMAX_POOL, sizeof(ds4_op_softmax_pool), DS4_POOL_OVERLAP, "softmax_pool"},
    {DS4_OP_MIX_STREAMS, sizeof(ds4_op_mix_streams), DS4_MIX_TRANSPOSE | DS4_MIX_ACCUMULATE,
     "mix_streams"},
    {DS4_OP_TOPK, sizeof(ds4_op_topk), DS4_TOPK_ASCENDING_IDS, "topk"},
    {DS4_OP_TAKE_COLUMNS, sizeof(ds4_op_take_columns), 0, "take_columns"},
    {DS4_OP_NORMALIZE_SUM, sizeof(ds4_op_normalize_sum), 0, "normalize_sum"},
    {DS4_OP_SINKHORN_SPLIT, sizeof(ds4_op_sinkhorn_split), 0, "sinkhorn_split"},
    {DS4_OP_ATTENTION_ROWS, sizeof(ds4_op_attention), 0, "attention_rows"},
    {DS4_OP_EMBED_STREAMS, sizeof(ds4_op_embed_streams), 0, "embed_streams"},
    {DS4_OP_HC_PRE, sizeof(ds4_op_hc_pre), 0, "hc_pre"},
    {DS4_OP_HC_POST, sizeof(ds4_op_hc_post), 0, "hc_post"},
    {DS4_OP_Q_PROJECT, sizeof(ds4_op_q_project), 0, "q_project"},
    {DS4_OP_KV_PROJECT, sizeof(ds4_op_kv_project), 0, "kv_project"},
    {DS4_OP_KV_COMMIT, sizeof(ds4_op_commit), 0, "kv_commit"},
    {DS4_OP_COMPRESS_PROJECT, sizeof(ds4_op_compress_project), 0, "compress_project"},
    {DS4_OP_COMPRESS_EMIT, sizeof(ds4_op_compress_emit), DS4_POOL_OVERLAP, "compress_emit"},
    {DS4_OP_COMPRESS_COMMIT, sizeof(ds4_op_commit), 0, "compress_commit"},
    {DS4_OP_INDEX_SCORE, sizeof(ds4_op_index_score), 0, "index_score"},
    {DS4_OP_INDEX_TOPK, sizeof(ds4_op_index_topk), 0, "index_topk"},
    {DS4_OP_ATTN_DECODE, sizeof(ds4_op_attention), 0, "attn_decode"},
    {DS4_OP_ATTN_PREFILL_WINDOW, sizeof(ds4_op_attention), 0, "attn_prefill_window"},
    {DS4_OP_ATTN_PREFILL_MIXED, sizeof(ds4_op_attention), 0, "attn_prefill_mixed"},
    {DS4_OP_ATTN_INDEXED, sizeof(ds4_op_attention), 0, "attn_indexed"},
    {DS4_OP_ATTN_OUT, sizeof(ds4_op_attn_out), 0, "attn_out"},
    {DS4_OP_ROUTE, sizeof(ds4_op_route), 0, "route"},
    {DS4_OP_MOE_ROUTED, sizeof(ds4_op_moe_routed), 0, "moe_routed"},
    {DS4_OP_FFN_SHARED, sizeof(ds4_op_ffn_shared), DS4_MATMUL_ACCUMULATE, "ffn_shared"},
    {DS4_OP_HEAD, sizeof(ds4_op_head), 0, "head"},
    {DS4_OP_SAMPLE_ARGMAX, sizeof(ds4_op_sample), 0, "sample_argmax"},
    {DS4_OP_SAMPLE_TOPK, sizeof(ds4_op_sample), 0, "sample_topk"},
    {DS4_OP_STEER, sizeof(ds4_op_steer), 0, "steer"},
};

/// Index into kOps, or the number of ops for an unknown id.
constexpr std::size_t op_index(std::uint32_t id) noexcept {
  std::size_t i = 0;
  while (i < std::size(kOps) && kOps[i].id != id) ++i;
  return i;
}
constexpr const OpInfo* find_op(std::uint32_t id) noexcept {
  const std::size_t i = op_index(id);
  return i < std::size(kOps) ? &kOps[i] : nullptr;
}
constexpr std::string_view op_name(std::uint32_t id) noexcept {
  // By index: g++ 12 with -fsanitize=undefined takes no comparison of addresses for a constant.
  const std::size_t i = op_index(id);
  return i < std::size(kOps) ? kOps[i].name : std::string_view("unknown op");
}
constexpr bool is_tier_two(std::uint32_t id) noexcept {
  return id >= DS4_OP_EMBED_STREAMS;
}
static_assert(op_name(DS4_OP_MOE_ROUTED) == "moe_routed");

// ---- views --------------------------------------------------------------------------------------

inline bool is_absent(const ds4_view& view) noexcept {
  return view.buffer == nullptr;
}

/// Bytes from a view's first byte to its end; 0 when an extent is 0, kTooLarge when it overflows.
constexpr std::uint64_t view_hull(const ds4_view& view) noexcept {
  if (view.rank < 1 || view.rank > 4) return kTooLarge;
  const std::uint32_t inner = view.rank - 1;
  std::uint64_t hull = 0;
  for (std::uint32_t d = 0; d < view.rank; ++d) {
    if (view.extent[d] == 0) return 0;
  }
  for (std::uint32_t d = 0; d < inner; ++d) {
    hull = sat_add(hull, sat_mul(view.extent[d] - 1, view.stride[d]));
  }
  if (is_row_dtype(view.dtype)) {
    return sat_add(hull, row_bytes(view.dtype, view.extent[inner], view.row_tail));
  }
  // A rank-1 list may be a column of a table, so its own stride counts.
  hull = sat_add(hull, sat_mul(view.extent[inner] - 1, view.stride[inner]));
  return sat_add(hull, element_bytes(view.dtype));
}

/// True when every byte that the view can address lies in a buffer of `buffer_bytes`.
constexpr bool view_fits(const ds4_view& view, std::uint64_t buffer_bytes) noexcept {
  return fits(view.offset, view_hull(view), buffer_bytes);
}

/// A row-contiguous view: the plain way to describe a tensor in a buffer.
inline ds4_view make_view(ds4_buffer* buffer, std::uint64_t offset, std::uint32_t dtype,
                          std::initializer_list<std::uint32_t> extents,
                          std::uint32_t row_tail = 0) noexcept {
  ds4_view view{};
  view.buffer = buffer;
  view.offset = offset;
  view.dtype = dtype;
  view.row_tail = row_tail;
  for (const std::uint32_t extent : extents) {
    if (view.rank < 4) view.extent[view.rank++] = extent;
  }
  if (view.rank == 0) return view;
  const std::uint32_t inner = view.rank - 1;
  view.stride[inner] = element_bytes(dtype);
  std::uint64_t stride = row_bytes(dtype, view.extent[inner], row_tail);
  for (std::uint32_t d = inner; d-- > 0;) {
    view.stride[d] = stride;
    stride = sat_mul(stride, view.extent[d]);
  }
  return view;
}

/// Addresses of a view's vectors; the base is where its buffer's bytes lie plus the offset.
/// `row(r)` is a row of the step (first_row applied), `entry(i)` row i of a list of rows, where a
/// rank-3 view [a, b, width] counts (i / b, i % b).
template <class Byte>
struct Rows {
  Byte* base = nullptr;
  std::uint64_t stride0 = 0;
  std::uint64_t stride1 = 0;
  std::uint32_t middle = 1;  ///< extent 1 of a rank-3 view, else 1
  std::uint32_t width = 0;
  std::uint32_t entries = 0;  ///< rows of the list, extent 0 * middle
  std::uint32_t first_row = 0;
  std::uint32_t dtype = 0;
  std::uint32_t tail = 0;

  [[nodiscard]] Byte* row(std::uint32_t r, std::uint32_t k = 0) const noexcept {
    return base + std::uint64_t{r - first_row} * stride0 + std::uint64_t{k} * stride1;
  }
  [[nodiscard]] Byte* entry(std::uint32_t i) const noexcept {
    return base + std::uint64_t{i / middle} * stride0 + std::uint64_t{i % middle} * stride1;
  }
};

template <class Byte>
Rows<Byte> rows_of(const ds4_view& view, Byte* buffer_bytes) noexcept {
  Rows<Byte> rows;
  rows.base = buffer_bytes + view.offset;
  rows.first_row = view.first_row;
  rows.dtype = view.dtype;
  rows.tail = view.row_tail;
  rows.stride0 = view.stride[0];
  rows.width = view.rank == 1 ? 1 : view.extent[view.rank - 1];
  if (view.rank == 3) {
    rows.stride1 = view.stride[1];
    rows.middle = view.extent[1];
  }
  const std::uint64_t entries = sat_mul(view.extent[0], rows.middle);
  rows.entries = entries > 0x7fffffffu ? 0x7fffffffu : static_cast<std::uint32_t>(entries);
  return rows;
}

// ---- the step block -----------------------------------------------------------------------------

struct RowRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  [[nodiscard]] std::uint32_t end() const noexcept { return first + count; }
};

/// Rows that a range names in a step block of `words` words; throws on words beyond the block and
/// on rows beyond what 32 bits count.
inline RowRange resolve_range(const ds4_range& range, const std::int32_t* step,
                              std::uint64_t words) {
  const auto word = [&](std::uint32_t slot, const char* field) -> std::int64_t {
    if (step == nullptr || slot >= words) {
      throw failure(DS4_E_INVALID_ARGUMENT, "rows.", field, " names word ", slot,
                    " of a step block of ", words, " words");
    }
    return step[slot];
  };
  std::int64_t count = range.max;
  if (range.count_slot != DS4_SLOT_NONE) {
    count = word(range.count_slot, "count_slot") - std::int64_t{range.begin};
    if (count < 0) count = 0;
    if (count > std::int64_t{range.max}) count = range.max;
  }
  std::int64_t first = range.begin;
  if (range.begin_slot != DS4_SLOT_NONE) first += word(range.begin_slot, "begin_slot");
  if (first < 0 || first + count > 0xffffffffll) {
    throw failure(DS4_E_INVALID_ARGUMENT, "rows: first row ", first, " and ", count,
                  " rows are out of range");
  }
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count)};
}

// ---- row sources --------------------------------------------------------------------------------

/// One entry of a row source for one row of the step.
struct SourceEntry {
  static constexpr std::int64_t kLeftOut = -1;
  static constexpr std::int64_t kOutside = -2;
  std::int64_t row = kLeftOut;  ///< row of the source's list of rows, or one of the two above
  std::int64_t value = 0;       ///< what the list, table or slot said, for messages
};

/// A row source with addresses resolved: how many entries row r sees and which rows they are.
/// Every index that comes from memory is checked against the storage it selects.
template <class Byte>
struct Source {
  std::uint32_t kind = DS4_SOURCE_NONE;
  std::uint32_t page_rows = 1;
  std::uint32_t wrap = 0;
  std::uint32_t slots = 0;  ///< rows of the page table
  std::uint32_t pages = 0;  ///< columns of the page table
  Rows<Byte> rows;
  Rows<Byte> list;
  Rows<Byte> count;
  Rows<Byte> slot;
  Rows<Byte> table;

  static std::int32_t load(const Byte* p) noexcept {
    std::int32_t value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }

  /// Entries that row r sees, those left out included; below 0 when memory holds a negative count.
  [[nodiscard]] std::int64_t size(std::uint32_t r) const noexcept {
    switch (kind) {
      case DS4_SOURCE_LIST:
        return list.width;
      case DS4_SOURCE_RANGE:
        return load(list.row(r) + 4);
      case DS4_SOURCE_PAGES:
        return load(count.row(r));
      default:
        return 0;
    }
  }

  [[nodiscard]] SourceEntry at(std::uint32_t r, std::uint32_t e) const noexcept {
    if (kind == DS4_SOURCE_LIST) {
      const std::int32_t id = load(list.row(r) + std::uint64_t{e} * 4);
      if (id == -1) return {SourceEntry::kLeftOut, id};
      return inside(id, id);
    }
    if (kind == DS4_SOURCE_RANGE) {
      const std::int64_t entry = std::int64_t{load(list.row(r))} + e;
      if (entry < 0 || wrap == 0) return inside(entry, entry);
      const std::int64_t s = load(slot.row(r));
      if (s < 0) return {SourceEntry::kOutside, s};
      return inside(s * wrap + entry % wrap, entry);
    }
    const std::int64_t s = load(slot.row(r));
    if (s < 0 || s >= slots) return {SourceEntry::kOutside, s};
    if (e / page_rows >= pages) return {SourceEntry::kOutside, e};
    const std::int64_t page =
        load(table.entry(static_cast<std::uint32_t>(s)) + std::uint64_t{e / page_rows} * 4);
    if (page < 0) return {SourceEntry::kOutside, page};
    return inside(page * page_rows + e % page_rows, page);
  }

 private:
  [[nodiscard]] SourceEntry inside(std::int64_t row, std::int64_t value) const noexcept {
    if (row < 0 || row >= std::int64_t{rows.entries}) return {SourceEntry::kOutside, value};
    return {row, value};
  }
};

/// `bytes_of(view)` gives the first byte of the view's buffer.
template <class Byte, class BytesOf>
Source<Byte> source_of(const ds4_row_source& from, BytesOf&& bytes_of) {
  Source<Byte> source;
  source.kind = from.kind;
  if (from.kind == DS4_SOURCE_NONE) return source;
  source.page_rows = from.page_rows != 0 ? from.page_rows : 1;
  source.wrap = from.wrap;
  source.rows = rows_of<Byte>(from.rows, bytes_of(from.rows));
  if (!is_absent(from.list)) source.list = rows_of<Byte>(from.list, bytes_of(from.list));
  if (!is_absent(from.count)) source.count = rows_of<Byte>(from.count, bytes_of(from.count));
  if (!is_absent(from.slot)) source.slot = rows_of<Byte>(from.slot, bytes_of(from.slot));
  if (!is_absent(from.table)) {
    source.table = rows_of<Byte>(from.table, bytes_of(from.table));
    source.slots = from.table.extent[0];
    source.pages = from.table.extent[from.table.rank - 1];
  }
  return source;
}

// ---- threads ------------------------------------------------------------------------------------

struct Part {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Thread `thread`'s share of `items`: contiguous, static, sizes differ by at most one.
constexpr Part part_of(std::uint64_t items, std::uint32_t thread, std::uint32_t threads) noexcept {
  const std::uint64_t base = items / threads;
  const std::uint64_t extra = items % threads;
  const std::uint64_t begin = thread * base + (thread < extra ? thread : extra);
  return {begin, begin + base + (thread < extra ? 1 : 0)};
}

/// Calls body(begin, end) on each thread of the host's team with its share of `items`; body must
/// not throw. Without a team the caller does all of it.
template <class Body>
void parallel_for(const ds4_host_api& host, std::uint64_t items, Body&& body) {
  if (!DS4_HAS(ds4_host_api, &host, team_run)) {
    body(std::uint64_t{0}, items);
    return;
  }
  struct Region {
    std::remove_reference_t<Body>* body;
    std::uint64_t items;
  } region{&body, items};
  host.team_run(
      host.host_ctx,
      [](void* arg, std::uint32_t thread, std::uint32_t threads) {
        auto& r = *static_cast<Region*>(arg);
        const Part part = part_of(r.items, thread, threads);
        if (part.begin < part.end) (*r.body)(part.begin, part.end);
      },
      &region);
}

// ---- tables -------------------------------------------------------------------------------------

/// A backend's table with its sizes filled and every function null.
constexpr ds4_backend_api make_api() noexcept {
  ds4_backend_api api{};
  api.struct_size = sizeof(ds4_backend_api);
  api.abi_major = DS4_ABI_MAJOR;
  api.abi_minor = DS4_ABI_MINOR;
  return api;
}

/// While the major is 0 both sides need the same minor.
inline void check_host(const ds4_host_api* host) {
  const ds4_host_api& h = need(host, "host table");
  if (h.struct_size < DS4_FIELD_END(ds4_host_api, host_ctx) || h.abi_major != DS4_ABI_MAJOR ||
      h.abi_minor != DS4_ABI_MINOR) {
    throw failure(DS4_E_ABI, "the host speaks ABI ", h.abi_major, ".", h.abi_minor,
                  ", this backend ", DS4_ABI_MAJOR, ".", DS4_ABI_MINOR);
  }
}

}  // namespace ds4::sdk

#endif
