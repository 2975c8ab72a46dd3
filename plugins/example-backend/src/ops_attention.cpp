// Tier-1 ops that look at stored rows: attention, and the scores of the indexer.
// The contract of each is in ds4/ops.h.
#include <algorithm>

#include "call.hpp"
#include "formats.hpp"
#include "softmax.hpp"

namespace example {
namespace {

// Calls body(column, decoded row) for each entry that row r sees, through the sources in order; the
// column of an entry that is left out passes without a call. Returns the number of columns.
template <std::size_t N, class Body>
std::uint64_t each_entry(const Call& call, const Source (&sources)[N], std::uint32_t r, float* row,
                         std::uint64_t most, Body&& body) {
  std::uint64_t column = 0;
  for (const Source& source : sources) {
    const std::int64_t n = source.size(r);
    const std::uint64_t room = source.wrap != 0 && source.wrap < most ? source.wrap : most;
    call.require(n >= 0 && static_cast<std::uint64_t>(n) <= room, "row ", r, " sees ", n,
                 " entries, there is room for ", room);
    for (std::uint32_t e = 0; e < n; ++e, ++column) {
      const sdk::SourceEntry at = source.at(r, e);
      if (at.row == sdk::SourceEntry::kLeftOut) continue;
      call.require(at.row >= 0, "an entry of row ", r, " is ", at.value, ", there are ",
                   source.rows.entries, " rows");
      decode_row(source.rows.dtype, source.rows.tail,
                 source.rows.entry(static_cast<std::uint32_t>(at.row)), source.rows.width, row);
      body(column, row);
    }
  }
  return column;
}

double dot(const float* a, const float* b, std::uint32_t n) noexcept {
  double sum = 0;
  for (std::uint32_t i = 0; i < n; ++i) sum += double{a[i]} * b[i];
  return sum;
}

void matmul_act(Call& call, const ds4_op_matmul_act& op) {
  const Rows q = call.rows(op.q, "q", kF32, 3, 3);
  const Rows y = call.rows(op.y, "y", kF32, 3, 3, Use::output);
  call.same(op.y.extent[1], op.q.extent[1], "heads of y");
  call.require(op.keys.kind == DS4_SOURCE_PAGES || op.keys.kind == DS4_SOURCE_LIST, "keys: kind ",
               op.keys.kind, " is not taken here");
  const Source keys[1] = {call.source(op.keys, "keys", op.q.extent[2])};
  float* key = call.scratch<float>(op.q.extent[2]);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t h = 0; h < q.middle; ++h) std::fill_n(f32(y.row(r, h)), y.width, -kInf);
    each_entry(call, keys, r, key, y.width, [&](std::uint64_t e, const float* row) {
      for (std::uint32_t h = 0; h < q.middle; ++h) {
        f32(y.row(r, h))[e] = static_cast<float>(dot(f32(q.row(r, h)), row, q.width));
      }
    });
  }
}

void attention_rows(Call& call, const ds4_op_attention& op) {
  const Rows q = call.rows(op.q, "q", kF32, 3, 3);
  const Rows y = call.rows(op.y, "y", kF32, 3, 3, Use::output);
  call.like(op.y, op.q);
  const std::uint32_t heads = op.q.extent[1];
  const std::uint32_t width = op.q.extent[2];
  if (op.sink != nullptr) call.vector(op.sink, "sink", heads);
  const Source sources[3] = {call.source(op.source[0], "source[0]", width),
                             call.source(op.source[1], "source[1]", width),
                             call.source(op.source[2], "source[2]", width)};
  call.require(op.rope.dims == 0 && std::isfinite(op.scale), "rope.dims or scale is not taken");
  float* row = call.scratch<float>(width);
  double* maximum = call.scratch<double>(heads);
  double* total = call.scratch<double>(heads);
  double* sum = call.scratch<double>(sdk::sat_mul(heads, width));
  if (!call.begin()) return;
  constexpr std::uint64_t kMost = 1u << 30;  // each entry is checked against what it selects
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t h = 0; h < heads; ++h) {
      maximum[h] = op.sink != nullptr ? weight_value(op.sink->dtype, op.sink->data, h) : kNone;
    }
    each_entry(call, sources, r, row, kMost, [&](std::uint64_t, const float* key) {
      for (std::uint32_t h = 0; h < heads; ++h) {
        const double logit = dot(f32(q.row(r, h)), key, width) * op.scale;
        if (logit > maximum[h]) maximum[h] = logit;
      }
    });
    for (std::uint32_t h = 0; h < heads; ++h) {
      const double sink =
          op.sink != nullptr ? weight_value(op.sink->dtype, op.sink->data, h) : kNone;
      total[h] = weight_of(sink, maximum[h]);
    }
    std::fill_n(sum, std::uint64_t{heads} * width, 0.0);
    each_entry(call, sources, r, row, kMost, [&](std::uint64_t, const float* key) {
      for (std::uint32_t h = 0; h < heads; ++h) {
        const double logit = dot(f32(q.row(r, h)), key, width) * op.scale;
        const double weight = weight_of(logit, maximum[h]);
        total[h] += weight;
        for (std::uint32_t d = 0; d < width; ++d)
          sum[std::uint64_t{h} * width + d] += weight * key[d];
      }
    });
    for (std::uint32_t h = 0; h < heads; ++h) {
      for (std::uint32_t d = 0; d < width; ++d) {
        const double value = sum[std::uint64_t{h} * width + d];
        f32(y.row(r, h))[d] = static_cast<float>(total[h] == 0 ? 0 : value / total[h]);
      }
    }
  }
}

const OpEntry kOps[] = {
    entry<ds4_op_matmul_act, matmul_act>(DS4_OP_MATMUL_ACT),
    entry<ds4_op_attention, attention_rows>(DS4_OP_ATTENTION_ROWS),
};

}  // namespace

std::span<const OpEntry> attention_ops() noexcept {
  return kOps;
}

}  // namespace example
