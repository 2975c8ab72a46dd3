// Tier-1 ops that belong to this model: norms, rotation, roundings, gates, pooling.
// The contract of each is in ds4/ops.h.
#include <algorithm>
#include <numbers>

#include "call.hpp"
#include "formats.hpp"
#include "softmax.hpp"

namespace example {
namespace {

double sigmoid(double z) noexcept {
  return 1 / (1 + std::exp(-z));
}

void rms_norm(Call& call, const ds4_op_rms_norm& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 3);
  const Rows y = call.rows(op.y, "y", kF32, 2, 3, Use::in_place);
  call.like(op.y, op.x);
  call.require(width_of(op.x) != 0 && op.eps >= 0, "width is 0 or eps is below 0");
  if (op.gain != nullptr) call.vector(op.gain, "gain", width_of(op.x));
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < vectors_of(op.x); ++k) {
      const float* in = f32(x.row(r, k));
      double squares = 0;
      for (std::uint32_t i = 0; i < x.width; ++i) squares += double{in[i]} * in[i];
      const double scale = 1 / std::sqrt(squares / x.width + op.eps);
      for (std::uint32_t i = 0; i < x.width; ++i) {
        const double gain = op.gain != nullptr ? weight_value(op.gain->dtype, op.gain->data, i) : 1;
        f32(y.row(r, k))[i] = static_cast<float>(gain * (in[i] * scale));
      }
    }
  }
}

// ---- rotation -----------------------------------------------------------------------------------

// Turns of pair i per position: base^(-2i/dims), with YARN interpolated towards f / factor between
// the pairs that turn beta_fast and beta_slow times within the original context.
float frequency(const ds4_rope& rope, std::uint32_t i) noexcept {
  const double plain = std::pow(rope.base, -2.0 * i / rope.dims);
  if ((rope.flags & DS4_ROPE_YARN) == 0) return static_cast<float>(plain);
  const auto pair_that_turns = [&](double times) {
    return rope.dims * std::log(rope.original_context / (2 * std::numbers::pi * times)) /
           (2 * std::log(rope.base));
  };
  const double low = std::max(std::floor(pair_that_turns(rope.beta_fast)), 0.0);
  double high = std::min(std::ceil(pair_that_turns(rope.beta_slow)), rope.dims - 1.0);
  if (low == high) high += 0.001;
  const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
  return static_cast<float>(plain / rope.factor * ramp + plain * (1 - ramp));
}

void check_rope(const Call& call, const ds4_rope& rope, std::uint32_t width) {
  if ((rope.flags & ~(DS4_ROPE_YARN | DS4_ROPE_INVERSE)) != 0) {
    call.fail(DS4_E_UNSUPPORTED, "rope: unknown flags in ", rope.flags);
  }
  if (rope.dims == 0) return;
  call.require(rope.dims % 2 == 0 && rope.dims <= width, "rope.dims ", rope.dims,
               " is odd or exceeds width ", width);
  call.require(std::isfinite(rope.base) && rope.base > 1, "rope.base is no number above 1");
  if ((rope.flags & DS4_ROPE_YARN) == 0) return;
  call.require(rope.factor >= 1 && rope.beta_slow > 0 && rope.beta_fast > rope.beta_slow &&
                   std::isfinite(rope.factor) && std::isfinite(rope.beta_fast) &&
                   rope.original_context > 0,
               "rope: the parameters of YARN are out of order");
}

void rope_tail(Call& call, const ds4_op_rope_tail& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 3);
  const Rows positions = call.list(op.positions, "positions");
  const Rows y = call.rows(op.y, "y", kF32, 2, 3, Use::in_place);
  call.like(op.y, op.x);
  check_rope(call, op.rope, width_of(op.x));
  if (!call.begin()) return;
  const double sign = (op.rope.flags & DS4_ROPE_INVERSE) != 0 ? -1 : 1;
  const std::uint32_t heads = vectors_of(op.x);
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < heads; ++k) {
      if (x.row(r, k) != y.row(r, k)) std::copy_n(f32(x.row(r, k)), x.width, f32(y.row(r, k)));
    }
    for (std::uint32_t i = 0; i < op.rope.dims / 2; ++i) {
      // The angle is rounded to f32: that belongs to the model.
      const float angle = static_cast<float>(*i32(positions.row(r))) * frequency(op.rope, i);
      const double cosine = std::cos(double{angle});
      const double sine = sign * std::sin(double{angle});
      for (std::uint32_t k = 0; k < heads; ++k) {
        float* pair = f32(y.row(r, k)) + (x.width - op.rope.dims) + 2 * i;
        const double a = pair[0];
        const double b = pair[1];
        pair[0] = static_cast<float>(a * cosine - b * sine);
        pair[1] = static_cast<float>(a * sine + b * cosine);
      }
    }
  }
}

// ---- rounding -----------------------------------------------------------------------------------

void hadamard(double* x, std::uint32_t width) noexcept {
  for (std::uint32_t half = 1; half < width; half *= 2) {
    for (std::uint32_t i = 0; i < width; ++i) {
      if ((i & half) != 0) continue;
      const double sum = x[i] + x[i + half];
      x[i + half] = x[i] - x[i + half];
      x[i] = sum;
    }
  }
}

void quant_round_trip(Call& call, const ds4_op_quant_round_trip& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 3);
  const Rows y = call.rows(op.y, "y", kF32, 2, 3, Use::in_place);
  call.like(op.y, op.x);
  const ds4_rounding& rounding = op.rounding;
  const std::uint32_t width = width_of(op.x);
  const bool transforms = (rounding.flags & DS4_ROUNDING_HADAMARD) != 0;
  if (rounding.format > DS4_ROUND_FP4_E2M1 ||
      (rounding.flags & ~(DS4_ROUNDING_HADAMARD | DS4_ROUNDING_TAIL_BF16)) != 0) {
    call.fail(DS4_E_UNSUPPORTED, "rounding: unknown format or flags");
  }
  call.require(rounding.tail <= width, "rounding.tail exceeds the width");
  call.require(rounding.format == DS4_ROUND_NONE || rounding.block != 0, "rounding.block is 0");
  call.require(!transforms || (width != 0 && (width & (width - 1)) == 0),
               "the Hadamard transform needs a power of two, width is ", width);
  double* wide = call.scratch<double>(width);
  if (!call.begin()) return;
  const BlockFormat& format = rounding.format == DS4_ROUND_FP8_E4M3 ? kE4m3 : kE2m1;
  const std::uint32_t coded = width - rounding.tail;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < vectors_of(op.x); ++k) {
      float* out = f32(y.row(r, k));
      std::copy_n(f32(x.row(r, k)), width, wide);
      if (transforms) hadamard(wide, width);
      const double scale = transforms ? 1 / std::sqrt(static_cast<double>(width)) : 1;
      for (std::uint32_t i = 0; i < width; ++i) out[i] = static_cast<float>(wide[i] * scale);
      if (rounding.format != DS4_ROUND_NONE) {
        for (std::uint32_t b = 0; b < coded; b += std::min(rounding.block, coded - b)) {
          round_block(format, out + b, std::min(rounding.block, coded - b));
        }
      }
      if ((rounding.flags & DS4_ROUNDING_TAIL_BF16) == 0) continue;
      for (std::uint32_t i = coded; i < width; ++i)
        out[i] = from_16(to_16(out[i], kBfloat), kBfloat);
    }
  }
}

// ---- gates and sums -----------------------------------------------------------------------------

void swiglu_clamp(Call& call, const ds4_op_swiglu_clamp& op) {
  const Rows gate = call.rows(op.gate, "gate", kF32, 2, 3);
  const Rows up = call.rows(op.up, "up", kF32, 2, 3);
  call.like(op.up, op.gate);
  const bool has_weight = call.has(op.weight);
  Rows weight;
  if (has_weight) {
    weight = call.rows(op.weight, "weight", kF32, 2, 2);
    call.same(op.weight.extent[1], vectors_of(op.gate), "width of weight");
  }
  const Rows y = call.rows(op.y, "y", kF32, 2, 3, Use::in_place);
  call.like(op.y, op.gate);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t k = 0; k < vectors_of(op.gate); ++k) {
      const double factor = has_weight ? f32(weight.row(r))[k] : 1.0;
      for (std::uint32_t i = 0; i < gate.width; ++i) {
        double g = f32(gate.row(r, k))[i];
        double u = f32(up.row(r, k))[i];
        if (op.limit > 0) {  // comparisons that a NaN passes through
          if (g > op.limit) g = op.limit;
          if (u > op.limit) u = op.limit;
          if (u < -op.limit) u = -op.limit;
        }
        f32(y.row(r, k))[i] = static_cast<float>(g * sigmoid(g) * u * factor);
      }
    }
  }
}

void normalize_sum(Call& call, const ds4_op_normalize_sum& op) {
  const Rows x = call.rows(op.x, "x", kF32, 2, 2);
  const Rows y = call.rows(op.y, "y", kF32, 2, 2, Use::in_place);
  call.like(op.y, op.x);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    double sum = 0;
    for (std::uint32_t k = 0; k < x.width; ++k) sum += f32(x.row(r))[k];
    if (sum < op.floor) sum = op.floor;
    for (std::uint32_t k = 0; k < x.width; ++k) {
      f32(y.row(r))[k] = static_cast<float>(f32(x.row(r))[k] / sum * op.scale);
    }
  }
}

void softmax_sink(Call& call, const ds4_op_softmax_sink& op) {
  const Rows x = call.rows(op.x, "x", kF32, 3, 3);
  const Rows y = call.rows(op.y, "y", kF32, 3, 3, Use::in_place);
  call.like(op.y, op.x);
  if (op.sink != nullptr) call.vector(op.sink, "sink", op.x.extent[1]);
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    for (std::uint32_t h = 0; h < x.middle; ++h) {
      const float* in = f32(x.row(r, h));
      const double sink =
          op.sink != nullptr ? weight_value(op.sink->dtype, op.sink->data, h) : kNone;
      double maximum = sink;
      for (std::uint32_t i = 0; i < x.width; ++i) maximum = in[i] > maximum ? in[i] : maximum;
      double sum = weight_of(sink, maximum);
      for (std::uint32_t i = 0; i < x.width; ++i) sum += weight_of(in[i], maximum);
      for (std::uint32_t i = 0; i < x.width; ++i) {
        f32(y.row(r, h))[i] = static_cast<float>(sum == 0 ? 0 : weight_of(in[i], maximum) / sum);
      }
    }
  }
}

void softmax_pool(Call& call, const ds4_op_softmax_pool& op) {
  const bool overlaps = (op.op.flags & DS4_POOL_OVERLAP) != 0;
  const Rows y = call.rows(op.y, "y", kF32, 2, 2, Use::output);
  const std::uint64_t columns = std::uint64_t{op.y.extent[1]} * (overlaps ? 2 : 1);
  Rows ring;
  if (call.has(op.ring)) {
    ring = call.table(op.ring, "ring", kF32, 2, 3);
    call.same(width_of(op.ring), 2 * columns, "width of ring");
  }
  const Rows work = call.table(op.work, "work", kF32, 2, 3);
  call.same(width_of(op.work), 2 * columns, "width of work");
  const Rows list = call.rows(op.list, "list", kI32, 2, 2);
  call.require(!overlaps || op.list.extent[1] % 2 == 0, "with OVERLAP the span must be even");
  if (!call.begin()) return;
  const std::int64_t pairs = std::int64_t{ring.entries} + work.entries;
  const auto pair_at = [&](std::int32_t id) {
    const auto at = static_cast<std::uint32_t>(id);
    return f32(at < ring.entries ? ring.entry(at) : work.entry(at - ring.entries));
  };
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    const std::int32_t* ids = i32(list.row(r));
    for (std::uint32_t e = 0; e < list.width; ++e) {
      call.require(ids[e] >= -1 && ids[e] < pairs, "list of row ", r, " holds ", ids[e],
                   ", there are ", pairs);
    }
    for (std::uint32_t d = 0; d < y.width; ++d) {
      // Where column d of entry e lies among the values; scores follow `columns` later.
      const auto column = [&](std::uint32_t e) {
        return overlaps && e >= list.width / 2 ? std::uint64_t{y.width} + d : d;
      };
      double maximum = kNone;
      for (std::uint32_t e = 0; e < list.width; ++e) {
        if (ids[e] < 0) continue;
        const double score = pair_at(ids[e])[columns + column(e)];
        if (score > maximum) maximum = score;
      }
      double sum = 0;
      double value = 0;
      for (std::uint32_t e = 0; e < list.width; ++e) {
        if (ids[e] < 0) continue;
        const double weight = weight_of(pair_at(ids[e])[columns + column(e)], maximum);
        sum += weight;
        value += weight * pair_at(ids[e])[column(e)];
      }
      f32(y.row(r))[d] = static_cast<float>(sum == 0 ? 0 : value / sum);
    }
  }
}

// Gates of the hyper-connection and its mixing matrix, made doubly stochastic by turns.
void sinkhorn_split(Call& call, const ds4_op_sinkhorn_split& op) {
  const Rows pre = call.rows(op.pre, "pre", kF32, 2, 2, Use::output);
  const std::uint32_t n = op.pre.extent[1];
  call.require(n >= 1 && n <= 16, n, " streams are outside 1..16");
  const Rows mixes = call.rows(op.mixes, "mixes", kF32, 2, 2);
  const Rows post = call.rows(op.post, "post", kF32, 2, 2, Use::output);
  const Rows comb = call.rows(op.comb, "comb", kF32, 3, 3, Use::output);
  call.same(op.mixes.extent[1], (2 + n) * n, "width of mixes");
  call.same(op.post.extent[1], n, "width of post");
  call.require(op.comb.extent[1] == n && op.comb.extent[2] == n, "comb is not ", n, " x ", n);
  call.vector(op.scale, "scale", 3);
  call.vector(op.base, "base", (2 + n) * n);
  call.require(op.iterations >= 1, "iterations is 0");
  if (!call.begin()) return;
  for (std::uint32_t r = call.first(); r < call.end(); ++r) {
    const auto mixed = [&](std::uint32_t i, std::uint32_t group) {
      return double{f32(mixes.row(r))[i]} * weight_value(op.scale->dtype, op.scale->data, group) +
             weight_value(op.base->dtype, op.base->data, i);
    };
    double m[16][16];  // source, destination
    for (std::uint32_t j = 0; j < n; ++j) {
      f32(pre.row(r))[j] = static_cast<float>(sigmoid(mixed(j, 0)) + op.eps);
      f32(post.row(r))[j] = static_cast<float>(2 * sigmoid(mixed(n + j, 1)));
      double maximum = kNone;
      for (std::uint32_t k = 0; k < n; ++k) {
        m[j][k] = mixed(2 * n + j * n + k, 2);
        maximum = std::max(maximum, m[j][k]);
      }
      double sum = 0;
      for (std::uint32_t k = 0; k < n; ++k) sum += m[j][k] = std::exp(m[j][k] - maximum);
      for (std::uint32_t k = 0; k < n; ++k) m[j][k] = m[j][k] / sum + op.eps;
    }
    // Columns, then by turns rows and columns.
    for (std::uint32_t turn = 1; turn < 2 * op.iterations; ++turn) {
      for (std::uint32_t a = 0; a < n; ++a) {
        double sum = op.eps;
        for (std::uint32_t b = 0; b < n; ++b) sum += turn % 2 != 0 ? m[b][a] : m[a][b];
        for (std::uint32_t b = 0; b < n; ++b) (turn % 2 != 0 ? m[b][a] : m[a][b]) /= sum;
      }
    }
    for (std::uint32_t i = 0; i < n * n; ++i) {
      f32(comb.row(r, i / n))[i % n] = static_cast<float>(m[i / n][i % n]);
    }
  }
}

const OpEntry kOps[] = {
    entry<ds4_op_rms_norm, rms_norm>(DS4_OP_RMS_NORM),
    entry<ds4_op_rope_tail, rope_tail>(DS4_OP_ROPE_TAIL),
    entry<ds4_op_quant_round_trip, quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP),
    entry<ds4_op_swiglu_clamp, swiglu_clamp>(DS4_OP_SWIGLU_CLAMP),
    entry<ds4_op_normalize_sum, normalize_sum>(DS4_OP_NORMALIZE_SUM),
    entry<ds4_op_softmax_sink, softmax_sink>(DS4_OP_SOFTMAX_SINK),
    entry<ds4_op_softmax_pool, softmax_pool>(DS4_OP_SOFTMAX_POOL),
    entry<ds4_op_sinkhorn_split, sinkhorn_split>(DS4_OP_SINKHORN_SPLIT),
};

}  // namespace

std::span<const OpEntry> model_ops() noexcept {
  return kOps;
}

}  // namespace example
