#pragma once

#include <array>
#include <string_view>

namespace ds4::conformance {

/// limit = c * eps_f32 * sqrt(terms) * N, where `terms` is the length of the longest sum and N a
/// norm-wise bound that the case computes in double from its inputs (|X||W| row bounds, carried
/// through the later steps by their derivatives). c covers what N leaves out: how many roundings
/// each value meets on its way. It is the same for every backend.
///
/// eps_f32 is 2^-23. Both roads may differ by their full error each, hence an even c.
struct Tolerance {
  std::string_view op;
  std::string_view output;
  double c;
  std::string_view reason;
};

inline constexpr double kEpsF32 = 0x1p-23;

inline constexpr std::array kTolerances{
    Tolerance{"hc_pre", "y", 4,
              "two roads; each one product chain (mixes) and one weighted sum, which N adds up"},
    Tolerance{"hc_pre", "post", 4, "two roads; the mix and the sigmoid, whose slope is in N"},
    Tolerance{"hc_pre", "comb", 4,
              "two roads; the mix and the Sinkhorn rounds: normalising does not enlarge a relative "
              "error, each round adds two roundings, which N counts"},
    Tolerance{"hc_post", "y", 2, "two roads of one sum of C + 1 products"},
    Tolerance{"q_project", "qr", 4, "two roads; a product chain, then the norm's own rounding"},
    Tolerance{"q_project", "q", 8,
              "two roads; two product chains, two norms; a rotation enlarges by sqrt 2 at most"},
    Tolerance{"kv_project", "kv", 8,
              "two roads; a product chain, a norm, a rotation (sqrt 2), a transform of norm 1"},
    Tolerance{"compress_project", "pairs", 4, "two roads; a product chain and one addition"},
    Tolerance{"compress_emit", "pool", 8,
              "two roads; exp of rounded differences (N holds the largest), a weighted sum, a "
              "norm, a rotation (sqrt 2)"},
    Tolerance{"index_score", "scores", 8,
              "two roads; two product chains and the dot with the key, whose bounds N multiplies"},
    Tolerance{"attention", "y", 8,
              "two roads; logits of rounded dots, exp, a weighted sum, a rotation (sqrt 2)"},
    Tolerance{"attn_out", "y", 4, "two roads of two chained products, whose bounds N multiplies"},
    Tolerance{"route", "weights", 4,
              "two roads; the gate's chain, halved by the slope of sqrt(softplus), and the sum"},
    Tolerance{"moe_routed", "y", 4,
              "two roads; three products in two links, N multiplies their bounds"},
    Tolerance{"ffn_shared", "y", 4,
              "two roads; three products in two links, N multiplies their bounds"},
    Tolerance{"head", "logits", 8,
              "two roads; the mix, the weighted sum, the norm and the output product"},
    Tolerance{"steer", "x", 4, "two roads; one dot product, one product and one subtraction"},
};

/// c of an output, or 0 when the table has none: the outputs must then be equal in every bit.
constexpr double tolerance_of(std::string_view op, std::string_view output) {
  for (const Tolerance& entry : kTolerances) {
    if (entry.op == op && entry.output == output) return entry.c;
  }
  return 0;
}

/// Share of values that may fall on the other side of a rounding boundary that the model defines.
inline constexpr double kFlipShare = 0.001;

}  // namespace ds4::conformance
