// Checks of views and weights, and the three functions of the table that work on ops.
#include "call.hpp"

namespace example {
namespace {

std::uint32_t type_bit(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
      return kF32;
    case DS4_DTYPE_I32:
      return kI32;
    case DS4_DTYPE_F16:
      return kF16;
    case DS4_DTYPE_BF16:
      return kBf16;
    case DS4_DTYPE_KV_ROW:
      return kKvRow;
    case DS4_DTYPE_INDEX_ROW:
      return kIndexRow;
    default:
      return 0;
  }
}

std::byte* bytes_of(const ds4_view& view) noexcept {
  return view.buffer != nullptr ? view.buffer->data : nullptr;
}

// True when two views may share bytes. Columns of one tensor (equal row strides) are apart.
bool share_bytes(const ds4_view& a, const ds4_view& b) noexcept {
  const std::uint64_t a_bytes = sdk::view_hull(a);
  const std::uint64_t b_bytes = sdk::view_hull(b);
  if (a.buffer != b.buffer || a_bytes == 0 || b_bytes == 0) return false;
  if (a.offset >= b.offset + b_bytes || b.offset >= a.offset + a_bytes) return false;
  const std::uint64_t stride = a.stride[0];
  if (a.rank < 2 || b.rank < 2 || stride == 0 || stride != b.stride[0]) return true;
  const std::uint64_t a_end = a.offset % stride + a_bytes - (a.extent[0] - 1) * stride;
  const std::uint64_t b_end = b.offset % stride + b_bytes - (b.extent[0] - 1) * stride;
  return a_end > stride || b_end > stride ||
         (a.offset % stride < b_end && b.offset % stride < a_end);
}

bool is_same(const ds4_view& a, const ds4_view& b) noexcept {
  bool same = a.offset == b.offset && a.rank == b.rank && a.dtype == b.dtype;
  for (std::uint32_t d = 0; same && d < a.rank; ++d) {
    same = a.extent[d] == b.extent[d] && a.stride[d] == b.stride[d];
  }
  return same;
}

}  // namespace

Call::Call(const ds4_device& device, const ds4_op& op, const sdk::RowRange* rows,
           const ds4_view* workspace)
    : device_(device), op_(op), range_(rows) {
  if (workspace == nullptr || sdk::is_absent(*workspace)) return;
  workspace_ = workspace->buffer->data + workspace->offset;
  workspace_bytes_ = sdk::view_hull(*workspace);
}

Rows Call::view(const ds4_view& v, const char* field, std::uint32_t types, std::uint32_t lowest,
                std::uint32_t highest, Use use) {
  require(has(v), field, " is absent");
  if (!sdk::known_dtype(v.dtype)) fail(DS4_E_UNSUPPORTED, field, ": unknown dtype ", v.dtype);
  require((type_bit(v.dtype) & types) != 0, field, ": dtype ", sdk::dtype_name(v.dtype),
          " is not taken here");
  require(v.rank >= lowest && v.rank <= highest, field, ": rank ", v.rank, " is outside ", lowest,
          "..", highest);
  const std::uint32_t element = sdk::element_bytes(v.dtype);
  if (element != 0) {
    const std::uint32_t inner = v.rank - 1;
    require(v.rank == 1 || v.extent[inner] <= 1 || v.stride[inner] == element, field,
            ": the innermost stride is not one element");
    for (std::uint32_t d = 0; d < v.rank; ++d) {
      require(v.stride[d] % element == 0 && v.offset % element == 0, field, " is not aligned");
    }
  } else {
    require(v.row_tail <= width_of(v), field, ": row_tail exceeds the width");
  }
  if (v.buffer != nullptr) {
    require(v.buffer->device == &device_, field, " lies on another device");
    require(sdk::view_fits(v, v.buffer->bytes), field, " goes beyond its buffer");
    if (seen_count_ < 24) seen_[seen_count_++] = {&v, field, use};
  }
  return sdk::rows_of<std::byte>(v, bytes_of(v));
}

Rows Call::rows(const ds4_view& v, const char* field, std::uint32_t types, std::uint32_t lowest,
                std::uint32_t highest, Use use) {
  const Rows result = view(v, field, types, lowest, highest, use);
  if (range_ != nullptr) {
    const std::uint64_t end = std::uint64_t{v.first_row} + v.extent[0];
    require(range_->first >= v.first_row && range_->end() <= end, field, ": rows ", v.first_row,
            " to ", end, " do not cover rows ", range_->first, " to ", range_->end());
  }
  return result;
}

Rows Call::list(const ds4_view& v, const char* field, Use use) {
  const Rows result = rows(v, field, kI32, 1, 2, use);
  require(v.rank == 1 || v.extent[1] == 1, field, " holds more than one value a row");
  return result;
}

Rows Call::table(const ds4_view& v, const char* field, std::uint32_t types, std::uint32_t lowest,
                 std::uint32_t highest, Use use) {
  return view(v, field, types, lowest, highest, use);
}

Source Call::source(const ds4_row_source& s, const char* field, std::uint32_t width) {
  if (s.kind > DS4_SOURCE_PAGES) fail(DS4_E_UNSUPPORTED, field, ": unknown kind ", s.kind);
  if (s.kind == DS4_SOURCE_NONE) return {};
  table(s.rows, field, kRowTypes, 2, 3);
  same(width_of(s.rows), width, field);
  if (s.kind != DS4_SOURCE_PAGES) rows(s.list, "source list", kI32, 2, 2);
  if (s.kind == DS4_SOURCE_RANGE) same(s.list.extent[1], 2, "source list");
  if (s.kind == DS4_SOURCE_PAGES) {
    require(s.page_rows != 0, field, ": page_rows is 0");
    list(s.count, "source count");
    table(s.table, "source table", kI32, 2, 2);
  }
  if (s.kind == DS4_SOURCE_PAGES || s.wrap != 0) list(s.slot, "source slot");
  return sdk::source_of<std::byte>(s, bytes_of);
}

void Call::weight(const ds4_weight* w, const char* field, std::uint32_t lowest,
                  std::uint32_t highest, std::uint32_t width, bool is_i32) {
  if (w == nullptr && range_ == nullptr) return;
  require(w != nullptr, field, " is null");
  require(w->device == &device_, field, " lies on another device");
  require((w->dtype == DS4_DTYPE_I32) == is_i32, field, ": dtype is not taken here");
  require(w->rank >= lowest && w->rank <= highest, field, ": rank ", w->rank, " is outside ",
          lowest, "..", highest);
  same(w->width(), width, field);
}

void Call::vector(const ds4_weight* w, const char* field, std::uint64_t values) {
  if (w == nullptr && range_ == nullptr) return;
  require(w != nullptr, field, " is null");
  weight(w, field, 1, 4, w->width());
  require(w->rows() == 1, field, " has ", w->rows(), " rows where one is needed");
  same(w->width(), values, field);
}

void Call::like(const ds4_view& y, const ds4_view& x) const {
  same(y.rank, x.rank, "rank of y");
  for (std::uint32_t d = 1; d < y.rank; ++d) same(y.extent[d], x.extent[d], "extent of y");
}

bool Call::begin() {
  if (range_ == nullptr) return false;
  require(scratch_bytes_ <= workspace_bytes_, "the workspace has ", workspace_bytes_,
          " bytes where ", scratch_bytes_, " are needed");
  refuse_overlap();
  return true;
}

// Two outputs never share bytes; an output and an input only where the op says "in place".
void Call::refuse_overlap() const {
  for (std::uint32_t i = 0; i < seen_count_; ++i) {
    for (std::uint32_t j = 0; j < seen_count_; ++j) {
      const Seen& out = seen_[i];
      const Seen& other = seen_[j];
      if (i == j || out.use == Use::input) continue;
      if (other.use == Use::input && !device_.validates) continue;
      const bool is_declared = out.use == Use::in_place && is_same(*out.view, *other.view);
      require(is_declared || !share_bytes(*out.view, *other.view), out.field, " overlaps ",
              other.field);
    }
  }
}

// ---- the table's functions ----------------------------------------------------------------------

namespace {

using Function = void (*)(Call&, const void* op);

// The op's function, after the checks that need no view: id, size, flags.
Function function_of(const ds4_op* op) {
  const ds4_op& o = sdk::need(op, "op");
  const sdk::OpInfo* info = o.struct_size >= sizeof(ds4_op) ? sdk::find_op(o.id) : nullptr;
  if (info == nullptr) throw sdk::failure(DS4_E_UNSUPPORTED, "unknown op id ", o.id);
  if (o.struct_size != info->bytes) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, info->name, ": struct_size ", o.struct_size,
                       " where ", info->bytes, " is needed")
        .at_op(o);
  }
  if ((o.flags & ~info->flags) != 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, info->name, ": unknown flags in ", o.flags).at_op(o);
  }
  for (const auto& ops : {plain_ops(), model_ops(), attention_ops()}) {
    for (const OpEntry& entry : ops) {
      if (entry.id == o.id) return entry.run;
    }
  }
  throw sdk::failure(DS4_E_UNSUPPORTED, info->name, ": left to its composition").at_op(o);
}

// Every descriptor goes on with its range right behind the header.
const ds4_range& range_of(const ds4_op& op) noexcept {
  return reinterpret_cast<const ds4_op_fill&>(op).rows;
}

}  // namespace

ds4_status op_support(ds4_device* device, const ds4_op* op, ds4_op_support* out, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& d = sdk::need(device, "device");
    ds4_op_support& answer = sdk::need_struct(out, "op support");
    sdk::need(op, "op");
    answer.level = DS4_SUPPORT_NO;
    sdk::copy_text(answer.reason, "");
    try {
      const Function run = function_of(op);
      Call call(d, *op, nullptr, nullptr);
      run(call, op);
      answer.level = DS4_SUPPORT_NATIVE;
    } catch (const sdk::failure& f) {
      sdk::copy_text(answer.reason, f.what());
    }
  });
}

ds4_status workspace_size(ds4_device* device, const ds4_op* const* ops, std::uint32_t count,
                          std::uint64_t* bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& d = sdk::need(device, "device");
    std::uint64_t& most = sdk::need(bytes, "bytes");
    most = 0;
    if (count != 0) sdk::need(ops, "ops");
    for (std::uint32_t i = 0; i < count; ++i) {
      const Function run = function_of(ops[i]);
      Call call(d, *ops[i], nullptr, nullptr);
      run(call, ops[i]);
      if (call.scratch_bytes() > most) most = call.scratch_bytes();
    }
  });
}

ds4_status enqueue(ds4_stream* stream, const ds4_submission* submission, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& device = *sdk::need(stream, "stream").device;
    const ds4_submission& s = sdk::need_struct(submission, "submission");
    if (s.count != 0) sdk::need(s.ops, "ops");
    for (const ds4_view* v : {&s.step, &s.workspace}) {
      if (!sdk::is_absent(*v) && (v->buffer->device != &device || v->offset % 4 != 0 ||
                                  !sdk::view_fits(*v, v->buffer->bytes))) {
        throw sdk::failure(DS4_E_INVALID_ARGUMENT,
                           "the step block or the workspace goes beyond its buffer");
      }
    }
    const std::byte* step = bytes_of(s.step);
    const std::uint64_t words = step != nullptr ? s.step.extent[0] : 0;
    for (std::uint32_t i = 0; i < s.count; ++i) {
      const Function run = function_of(s.ops[i]);
      const ds4_op& op = *s.ops[i];
      sdk::RowRange rows;
      try {
        rows = sdk::resolve_range(
            range_of(op), reinterpret_cast<const std::int32_t*>(step + (step ? s.step.offset : 0)),
            words);
      } catch (sdk::failure& f) {
        throw f.at_op(op);
      }
      Call call(device, op, &rows, &s.workspace);
      run(call, &op);
    }
  });
}

}  // namespace example
