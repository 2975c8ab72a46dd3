#include "format/quants/quants.hpp"

#include <cmath>

#include "format/quants/codec.hpp"

namespace ds4 {
namespace {

using DecodeBlock = void (*)(const std::byte*, float*) noexcept;
using EncodeBlock = void (*)(const float*, const float*, std::byte*) noexcept;
using DecodeRow = void (*)(const std::byte*, float*, std::size_t) noexcept;
using EncodeRow = void (*)(const float*, std::byte*, std::size_t) noexcept;

struct Codec {
  DecodeBlock decode_block = nullptr;
  EncodeBlock encode_block = nullptr;
  DecodeRow decode_row = nullptr;
  EncodeRow encode_row = nullptr;
};

Codec find_codec(Dtype dtype) noexcept {
  using namespace quants;
  switch (dtype) {
    case Dtype::f32:
      return {nullptr, nullptr, decode_f32, encode_f32};
    case Dtype::f16:
      return {nullptr, nullptr, decode_f16, encode_f16};
    case Dtype::bf16:
      return {nullptr, nullptr, decode_bf16, encode_bf16};
    case Dtype::q8_0:
      return {decode_q8_0, encode_q8_0, nullptr, nullptr};
    case Dtype::q4_0:
      return {decode_q4_0, encode_q4_0, nullptr, nullptr};
    case Dtype::q2_k:
      return {decode_q2_k, encode_q2_k, nullptr, nullptr};
    case Dtype::q3_k:
      return {decode_q3_k, encode_q3_k, nullptr, nullptr};
    case Dtype::q4_k:
      return {decode_q4_k, encode_q4_k, nullptr, nullptr};
    case Dtype::q5_k:
      return {decode_q5_k, encode_q5_k, nullptr, nullptr};
    case Dtype::q6_k:
      return {decode_q6_k, encode_q6_k, nullptr, nullptr};
    case Dtype::iq2_xxs:
      return {decode_iq2_xxs, encode_iq2_xxs, nullptr, nullptr};
    case Dtype::mxfp4:
      return {decode_mxfp4, encode_mxfp4, nullptr, nullptr};
    default:
      return {};
  }
}

Result<Codec> codec_for(Dtype dtype, std::size_t n) {
  const Codec codec = find_codec(dtype);
  if (codec.decode_block == nullptr && codec.decode_row == nullptr) {
    return fail(Errc::unsupported, "element type ", dtype_name(dtype), " (",
                static_cast<std::uint32_t>(dtype), ") cannot be converted to or from float");
  }
  DS4_CHECK(row_bytes(dtype, n));
  return codec;
}

}  // namespace

Result<void> dequantize_row(Dtype dtype, const std::byte* src, float* dst, std::size_t n) {
  DS4_TRY(const Codec codec, codec_for(dtype, n));
  if (codec.decode_row != nullptr) {
    codec.decode_row(src, dst, n);
    return {};
  }
  const DtypeTraits& traits = *find_traits(dtype);
  for (std::size_t i = 0; i < n; i += traits.block_elements) {
    codec.decode_block(src, dst + i);
    src += traits.block_bytes;
  }
  return {};
}

Result<void> quantize_row(Dtype dtype, const float* src, std::byte* dst, std::size_t n,
                          std::span<const float> importance) {
  DS4_TRY(const Codec codec, codec_for(dtype, n));
  if (!importance.empty() && importance.size() != n) {
    return fail(Errc::invalid_argument, "expected ", n, " importance weights, got ",
                importance.size());
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(src[i])) {
      return fail(Errc::invalid_argument, "element ", i, " of a row is not finite");
    }
  }
  if (codec.encode_row != nullptr) {
    codec.encode_row(src, dst, n);
    return {};
  }
  const DtypeTraits& traits = *find_traits(dtype);
  for (std::size_t i = 0; i < n; i += traits.block_elements) {
    codec.encode_block(src + i, importance.empty() ? nullptr : importance.data() + i, dst);
    dst += traits.block_bytes;
  }
  return {};
}

}  // namespace ds4
