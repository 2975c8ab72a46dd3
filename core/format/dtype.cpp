#include "format/dtype.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "base/checked.hpp"

namespace ds4 {
namespace {

constexpr std::array kTraits = {
    DtypeTraits{Dtype::f32, "F32", 1, 4, true},
    DtypeTraits{Dtype::f16, "F16", 1, 2, true},
    DtypeTraits{Dtype::q4_0, "Q4_0", 32, 18, true},
    DtypeTraits{Dtype::q4_1, "Q4_1", 32, 20, false},
    DtypeTraits{Dtype::q5_0, "Q5_0", 32, 22, false},
    DtypeTraits{Dtype::q5_1, "Q5_1", 32, 24, false},
    DtypeTraits{Dtype::q8_0, "Q8_0", 32, 34, true},
    DtypeTraits{Dtype::q8_1, "Q8_1", 32, 40, false},
    DtypeTraits{Dtype::q2_k, "Q2_K", 256, 84, true},
    DtypeTraits{Dtype::q3_k, "Q3_K", 256, 110, true},
    DtypeTraits{Dtype::q4_k, "Q4_K", 256, 144, true},
    DtypeTraits{Dtype::q5_k, "Q5_K", 256, 176, true},
    DtypeTraits{Dtype::q6_k, "Q6_K", 256, 210, true},
    DtypeTraits{Dtype::q8_k, "Q8_K", 256, 292, false},
    DtypeTraits{Dtype::iq2_xxs, "IQ2_XXS", 256, 66, true},
    DtypeTraits{Dtype::iq2_xs, "IQ2_XS", 256, 74, false},
    DtypeTraits{Dtype::iq3_xxs, "IQ3_XXS", 256, 98, false},
    DtypeTraits{Dtype::iq1_s, "IQ1_S", 256, 50, false},
    DtypeTraits{Dtype::iq4_nl, "IQ4_NL", 32, 18, false},
    DtypeTraits{Dtype::iq3_s, "IQ3_S", 256, 110, false},
    DtypeTraits{Dtype::iq2_s, "IQ2_S", 256, 82, false},
    DtypeTraits{Dtype::iq4_xs, "IQ4_XS", 256, 136, false},
    DtypeTraits{Dtype::i8, "I8", 1, 1, false},
    DtypeTraits{Dtype::i16, "I16", 1, 2, false},
    DtypeTraits{Dtype::i32, "I32", 1, 4, true},
    DtypeTraits{Dtype::i64, "I64", 1, 8, false},
    DtypeTraits{Dtype::f64, "F64", 1, 8, false},
    DtypeTraits{Dtype::iq1_m, "IQ1_M", 256, 56, false},
    DtypeTraits{Dtype::bf16, "BF16", 1, 2, true},
    DtypeTraits{Dtype::tq1_0, "TQ1_0", 256, 54, false},
    DtypeTraits{Dtype::tq2_0, "TQ2_0", 256, 66, false},
    DtypeTraits{Dtype::mxfp4, "MXFP4", 32, 17, true},
    DtypeTraits{Dtype::nvfp4, "NVFP4", 64, 36, false},
};

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::toupper(static_cast<unsigned char>(x)) ==
           std::toupper(static_cast<unsigned char>(y));
  });
}

}  // namespace

const DtypeTraits* find_traits(Dtype dtype) noexcept {
  for (const DtypeTraits& traits : kTraits) {
    if (traits.id == dtype) return &traits;
  }
  return nullptr;
}

std::string_view dtype_name(Dtype dtype) noexcept {
  const DtypeTraits* traits = find_traits(dtype);
  return traits != nullptr ? traits->name : "unknown";
}

bool is_loadable(Dtype dtype) noexcept {
  const DtypeTraits* traits = find_traits(dtype);
  return traits != nullptr && traits->is_loadable;
}

Result<Dtype> parse_dtype(std::string_view name) {
  std::string known;
  for (const DtypeTraits& traits : kTraits) {
    if (equal_in_any_case(traits.name, name)) return traits.id;
    if (traits.is_loadable) known.append(known.empty() ? "" : ", ").append(traits.name);
  }
  return fail(Errc::invalid_argument, "unknown element type '", name, "'; known are ", known);
}

Result<std::uint64_t> row_bytes(Dtype dtype, std::uint64_t elements) {
  const DtypeTraits* traits = find_traits(dtype);
  if (traits == nullptr) {
    return fail(Errc::invalid_argument, "unknown element type ", static_cast<std::uint32_t>(dtype));
  }
  if (elements % traits->block_elements != 0) {
    return fail(Errc::invalid_argument, "a row of ", elements, " elements does not divide into ",
                traits->name, " blocks of ", traits->block_elements);
  }
  const auto bytes = checked_mul(elements / traits->block_elements, traits->block_bytes);
  if (!bytes) return fail(Errc::invalid_argument, "a row of ", elements, " elements is too large");
  return *bytes;
}

}  // namespace ds4
