#include "moves.hpp"

#include <algorithm>

#include "loops.hpp"
#include "row_codec.hpp"

namespace ds4::cpu {

void run_copy_cast(Context& c, const ds4_op_copy_cast& op, const sdk::RowRange& rows) {
  const CopyLayout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    if (op.x.dtype == op.y.dtype && op.x.row_tail == op.y.row_tail) {
      std::memcpy(y.row(r), x.row(r), sdk::row_bytes(x.dtype, x.width, x.tail));
      return;
    }
    decode_row(x.dtype, x.tail, x.row(r), x.width, at.row);
    encode_row(y.dtype, y.tail, at.row, y.width, y.row(r));
  });
}

void run_fill(Context& c, const ds4_op_fill& op, const sdk::RowRange& rows) {
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    if (op.y.dtype == DS4_DTYPE_I32) {
      std::fill_n(i32(y.row(r)), y.width, static_cast<std::int32_t>(op.value));
    } else {
      std::fill_n(f32(y.row(r)), y.width, static_cast<float>(op.value));
    }
  });
}

void run_gather_rows(Context& c, const ds4_op_gather_rows& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  const bool is_i32 = op.y.dtype == DS4_DTYPE_I32;
  const std::int64_t entries =
      op.weight != nullptr ? static_cast<std::int64_t>(op.weight->rows()) : x.entries;
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id < -1 || id >= entries) return c.bad_index("ids", r, id, entries);
    std::byte* out = y.row(r);
    if (id == -1) {
      if (is_i32) {
        std::fill_n(i32(out), y.width, static_cast<std::int32_t>(op.fill));
      } else {
        std::fill_n(f32(out), y.width, static_cast<float>(op.fill));
      }
      return;
    }
    const auto entry = static_cast<std::uint32_t>(id);
    if (op.weight != nullptr && !is_i32) return decode_weight_row(*op.weight, entry, f32(out));
    const std::byte* in = op.weight != nullptr ? op.weight->row(entry) : x.entry(entry);
    if (is_i32) {
      std::memcpy(out, in, std::uint64_t{y.width} * 4);
    } else {
      decode_row(x.dtype, x.tail, in, y.width, f32(out));
    }
  });
}

void run_scatter_rows(Context& c, const ds4_op_scatter_rows& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id == -1) return;
    if (id < -1 || std::uint32_t(id) >= y.entries) return c.bad_index("ids", r, id, y.entries);
    encode_row(y.dtype, y.tail, f32(x.row(r)), x.width, y.entry(static_cast<std::uint32_t>(id)));
  });
}

void run_page_rows(Context& c, const ds4_op_page_rows& op, const sdk::RowRange& rows) {
  const Bytes ids = Context::bytes(op.ids);
  const Bytes slot = Context::bytes(op.slot);
  const Bytes table = Context::bytes(op.table);
  const Bytes physical = Context::bytes(op.physical);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t s = *i32(slot.row(r));
    const std::int32_t* in = i32(ids.row(r));
    std::int32_t* out = i32(physical.row(r));
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = in[k];
      if (id == -1) {
        out[k] = -1;
        continue;
      }
      const std::uint32_t page = static_cast<std::uint32_t>(id) / op.page_rows;
      if (s < 0 || std::uint32_t(s) >= table.entries) {
        return c.bad_index("slot", r, s, table.entries);
      }
      if (id < 0 || page >= table.width) {
        return c.bad_index("ids", r, id, std::int64_t{table.width} * op.page_rows);
      }
      const std::int64_t row =
          std::int64_t{i32(table.entry(static_cast<std::uint32_t>(s)))[page]} * op.page_rows +
          static_cast<std::uint32_t>(id) % op.page_rows;
      if (row < 0 || row > 0x7fffffff) return c.bad_index("table", r, row, 0x7fffffff);
      out[k] = static_cast<std::int32_t>(row);
    }
  });
}

void run_resolve_tokens(Context& c, const ds4_op_resolve_tokens& op, const sdk::RowRange& rows) {
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes sampled = Context::bytes(op.sampled);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t token = *i32(tokens.row(r));
    if (token >= 0) {
      *i32(y.row(r)) = token;
      return;
    }
    const std::int64_t k = -1 - std::int64_t{token};
    if (k >= std::int64_t{sampled.entries}) return c.bad_index("tokens", r, token, sampled.entries);
    *i32(y.row(r)) = *i32(sampled.entry(static_cast<std::uint32_t>(k)));
  });
}

void run_quant_round_trip(Context& c, const ds4_op_quant_round_trip& op,
                          const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* in = f32(x.row(r, k));
    float* out = f32(y.row(r, k));
    if (in != out) std::copy_n(in, x.width, out);
    round_row(op.rounding, out, x.width);
  });
}

void run_take_columns(Context& c, const ds4_op_take_columns& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t* columns = i32(ids.row(r));
    float* out = f32(y.row(r));
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = columns[k];
      if (id < -1 || id >= std::int64_t{x.width}) return c.bad_index("ids", r, id, x.width);
      out[k] = id < 0 ? 0.0F : f32(x.row(r))[id];
    }
  });
}

void run_embed_streams(Context& c, const ds4_op_embed_streams& op, const sdk::RowRange& rows) {
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes x = Context::bytes(op.x);
  const std::int64_t vocabulary = op.weight->extent[0];
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t token = *i32(tokens.row(r));
    if (token < 0 || token >= vocabulary) return c.bad_index("tokens", r, token, vocabulary);
    if (x.middle == 0) return;
    float* first = f32(x.row(r, 0));
    decode_weight_row(*op.weight, static_cast<std::uint32_t>(token), first);
    for (std::uint32_t s = 1; s < x.middle; ++s) std::copy_n(first, x.width, f32(x.row(r, s)));
  });
}

void run_commit(Context& c, const ds4_op_commit& op, const sdk::RowRange& rows) {
  const Bytes from = Context::bytes(op.x);
  const Bytes ring = Context::bytes(op.y);
  const Bytes ids = Context::bytes(op.ids);
  const sdk::Part part = c.share(rows.count);
  for (std::uint64_t i = part.begin; i < part.end; ++i) {
    const std::uint32_t r = rows.first + static_cast<std::uint32_t>(i);
    const std::int64_t to = *i32(ids.row(r));
    if (to >= 0 && to < std::int64_t{ring.entries}) {
      encode_row(ring.dtype, ring.tail, f32(from.row(r)), from.width,
                 ring.entry(static_cast<std::uint32_t>(to)));
    } else if (to != -1) {
      c.bad_index("ids", r, to, ring.entries);
    }
  }
}

}  // namespace ds4::cpu
