#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ds4::conformance {

/// limit = c * eps_f32 * error, where `error` is what the case's own double-precision formula says
/// of each value: the root mean square of f32 rounding on the op's whole way (estimate.hpp). Fused
/// op, composition and formula must lie within it of each other. It is the same for every backend.
///
/// eps_f32 is 2^-23. Why c is 8: two roads differ by sqrt 2 of one road's error, and a tail of 4
/// deviations leaves one value in 16000 outside, which comes to 5.7; the rest is for errors that
/// are not independent, such as that of a norm, which all values of a row share. A single rounding
/// has a deviation of 0.29 eps, not 1, so normal values stay far below.
struct Tolerance {
  std::string_view op;
  std::string_view output;
  double c;
  std::string_view reason;
};

inline constexpr double kEpsF32 = 0x1p-23;

inline constexpr std::array kTolerances{
    Tolerance{"embed_streams", "x", 0.5, "stored values: error is 0, the decoded weight is exact"},
    Tolerance{"hc_pre", "y", 8, "error has norm, mixes, sigmoid, weighted sum and norm"},
    Tolerance{"hc_pre", "post", 8, "error has norm, mix and sigmoid"},
    Tolerance{"hc_pre", "comb", 8, "error has norm, mix, exp and both roundings of each round"},
    Tolerance{"hc_post", "y", 8, "error has one sum of C + 1 products"},
    Tolerance{"q_project", "qr", 8, "error has product and norm"},
    Tolerance{"q_project", "q", 8, "error has two products, two norms and the rotation"},
    Tolerance{"kv_project", "kv", 8, "error has product, norm, rotation and transform"},
    Tolerance{"compress_project", "pairs", 8, "error has product and addition"},
    Tolerance{"compress_emit", "pool", 8,
              "error has softmax of the scores, weighted sum, norm, rotation and transform"},
    Tolerance{"index_score", "scores", 8,
              "error has products, rotation, transform, dots with the key and the sum over heads"},
    Tolerance{"attention", "y", 8, "error has dots, softmax, weighted sum and rotation"},
    Tolerance{"attn_out", "y", 8, "error has two chained products"},
    Tolerance{"route", "weights", 8, "error has product, sqrt(softplus), sum and quotient"},
    Tolerance{"moe_routed", "y", 8, "error has two chained products, the gated unit and the sum"},
    Tolerance{"ffn_shared", "y", 8, "error has two chained products, the gated unit and the sum"},
    Tolerance{"head", "logits", 8,
              "error has norm, mixes, sigmoid, weighted sum, norm and product"},
    Tolerance{"steer", "x", 8, "error has dot, product and subtraction"},
    Tolerance{"topk", "values", 0.5, "stored values: error is 0"},
    Tolerance{"gather_rows", "y", 0.5, "stored values: error is 0, decoding is exact"},
    Tolerance{"scatter_rows", "y", 0.5, "stored values: error is 0"},
    Tolerance{"take_columns", "y", 0.5, "stored values: error is 0"},
    Tolerance{"unary", "y", 8, "error has each function's own roundings"},
    Tolerance{"softmax_sink", "y", 8, "error has differences, exp and the sum"},
    Tolerance{"rope_tail", "y", 8, "error has sine, cosine, two products and a sum"},
    Tolerance{"quant_round_trip", "y", 8, "error is 0 but for the transform: codes are exact"},
    Tolerance{"swiglu_clamp", "y", 8, "error has sigmoid and two products"},
    Tolerance{"rms_norm", "y", 8, "error has the sum of squares, root, quotient and gain"},
    Tolerance{"copy_cast", "y", 0.5, "stored values: error is 0, decoding is exact"},
    Tolerance{"fill", "y", 0.5, "a constant that F32 holds"},
    Tolerance{"add", "y", 8, "error has one sum"},
    Tolerance{"mul", "y", 8, "error has one product"},
    Tolerance{"scale_add", "y", 8, "error has a product and a sum"},
    Tolerance{"row_sum", "y", 8, "error has one sum"},
    Tolerance{"matmul", "y", 8, "error has one sum of products"},
    Tolerance{"matmul_act", "y", 8, "error has one sum of products"},
    Tolerance{"grouped_matmul", "y", 8, "error has one sum of products"},
    Tolerance{"mix_streams", "y", 8, "error has one sum of products"},
    Tolerance{"normalize_sum", "y", 8, "error has the sum and the quotient"},
    Tolerance{"sinkhorn_split", "pre", 8, "error has product, sum and sigmoid"},
    Tolerance{"sinkhorn_split", "post", 8, "error has product, sum and sigmoid"},
    Tolerance{"sinkhorn_split", "comb", 8, "error has exp and both roundings of each round"},
    Tolerance{"softmax_pool", "y", 8, "error has softmax of the scores and the weighted sum"},
};

/// c of an output, or 0 when the table has none: the outputs must then be equal in every bit.
constexpr double tolerance_of(std::string_view op, std::string_view output) {
  for (const Tolerance& entry : kTolerances) {
    if (entry.op == op && entry.output == output) return entry.c;
  }
  return 0;
}

/// Devices with DS4_CAP_INT8_ACTIVATIONS: the same c, and `error` has what rounding activations to
/// int8 adds, which is a deviation and not a bound. Hence the second condition: over all values of
/// an op the root mean square of error / estimate is at most this. Correct rounding gives 1, one
/// bit less 2, a scale that is off by a hundredth 2 with Q8_0 weights and 1.6 with K types.
inline constexpr double kInt8Deviation = 1.4;
/// Fewer values tell no deviation.
inline constexpr std::uint64_t kInt8LeastValues = 200;

/// Share of values that may fall on the other side of a rounding boundary that the model defines.
inline constexpr double kFlipShare = 0.001;

}  // namespace ds4::conformance
