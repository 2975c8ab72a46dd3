#include "quantize/source_matrix.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/checked.hpp"
#include "format/half.hpp"

namespace ds4::quantize {
namespace {

constexpr std::uint64_t kFp8Block = 128;
constexpr std::uint64_t kFp4Block = 32;
constexpr std::size_t kMxfp4Bytes = 17;
constexpr std::uint8_t kScaleNan = 255;

constexpr std::array<float, 16> kFp4 = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                        -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

// 2^(code - 127); code 0 is 2^-127, a subnormal float.
float e8m0(std::uint8_t code) noexcept {
  const std::uint32_t bits =
      code == 0 ? std::uint32_t{0x00400000} : static_cast<std::uint32_t>(code) << 23;
  return std::bit_cast<float>(bits);
}

// e4m3fn: bias 7, no infinities, codes 0x7F and 0xFF are NaN.
float e4m3(std::uint8_t code) noexcept {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  if ((code & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

template <class T>
T load(std::span<const std::byte> bytes, std::uint64_t index) noexcept {
  T out;
  std::memcpy(&out, bytes.data() + index * sizeof(T), sizeof(T));
  return out;
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    out.append(i == 0 ? "" : ", ").append(std::to_string(shape[i]));
  }
  return out + "]";
}

Error wrong_shape(const SourceTensor& tensor, std::uint64_t rows, std::uint64_t columns) {
  return fail(Errc::bad_file, "tensor '", tensor.name, "' of type ", source_type_name(tensor.type),
              " has shape ", shape_text(tensor.shape), ", wanted [", rows, ", ", columns, "]");
}

bool is_shape(const std::vector<std::uint64_t>& shape, std::uint64_t rows, std::uint64_t columns) {
  if (shape.size() == 1) return rows == 1 && shape[0] == columns;
  return shape.size() == 2 && shape[0] == rows && shape[1] == columns;
}

}  // namespace

Result<SourceMatrix> SourceMatrix::bind(const Checkpoint& checkpoint, std::string_view name,
                                        std::uint64_t rows, std::uint64_t columns) {
  SourceMatrix out;
  out.values_ = checkpoint.find(name);
  out.rows_ = rows;
  out.columns_ = columns;
  if (out.values_ == nullptr) {
    return fail(Errc::not_found, checkpoint.folder().string(), ": tensor '", name, "' is missing");
  }
  DS4_CHECK(out.check_shape());
  DS4_CHECK(out.bind_scale(checkpoint));
  return out;
}

Result<void> SourceMatrix::check_shape() const {
  if (is_fp4()) {
    if (columns_ % kFp4Block == 0 && is_shape(values_->shape, rows_, columns_ / 2)) return {};
    return wrong_shape(*values_, rows_, columns_ / 2);
  }
  if (is_shape(values_->shape, rows_, columns_)) return {};
  return wrong_shape(*values_, rows_, columns_);
}

Result<void> SourceMatrix::bind_scale(const Checkpoint& checkpoint) {
  if (!is_fp4() && values_->type != SourceType::f8_e4m3) return {};
  constexpr std::string_view kWeight = "weight";
  std::string name = values_->name;
  if (name.ends_with(kWeight)) name.resize(name.size() - kWeight.size());
  name += "scale";
  scales_ = checkpoint.find(name);
  if (scales_ == nullptr) {
    return fail(Errc::not_found, checkpoint.folder().string(), ": tensor '", values_->name, "' is ",
                source_type_name(values_->type), " but its scales '", name, "' are missing");
  }
  const std::uint64_t rows = is_fp4() ? rows_ : ceil_div(rows_, kFp8Block);
  const std::uint64_t columns = ceil_div(columns_, is_fp4() ? kFp4Block : kFp8Block);
  if (scales_->type != SourceType::f8_e8m0 || !is_shape(scales_->shape, rows, columns)) {
    Error error = wrong_shape(*scales_, rows, columns);
    error.what += " of type F8_E8M0";
    return error;
  }
  return {};
}

Result<float> SourceMatrix::scale(std::uint64_t row, std::uint64_t column_block) const {
  const std::uint64_t per_row = scales_->shape.back();
  const std::uint64_t scale_row = is_fp4() ? row : row / kFp8Block;
  const auto code = load<std::uint8_t>(scales_->bytes, scale_row * per_row + column_block);
  if (code == kScaleNan) {
    return fail(Errc::bad_file, "tensor '", scales_->name, "' has a NaN scale at row ", scale_row);
  }
  return e8m0(code);
}

Result<void> SourceMatrix::read_row(std::uint64_t row, float* out) const {
  const std::span<const std::byte> bytes = values_->bytes;
  const std::uint64_t begin = row * columns_;
  switch (values_->type) {
    case SourceType::f32:
      std::memcpy(out, bytes.data() + begin * sizeof(float), columns_ * sizeof(float));
      return {};
    case SourceType::f16:
      for (std::uint64_t i = 0; i < columns_; ++i) {
        out[i] = half_to_float(load<std::uint16_t>(bytes, begin + i));
      }
      return {};
    case SourceType::bf16:
      for (std::uint64_t i = 0; i < columns_; ++i) {
        out[i] = bfloat_to_float(load<std::uint16_t>(bytes, begin + i));
      }
      return {};
    case SourceType::f8_e4m3:
      for (std::uint64_t first = 0; first < columns_; first += kFp8Block) {
        DS4_TRY(const float factor, scale(row, first / kFp8Block));
        const std::uint64_t end = std::min(first + kFp8Block, columns_);
        for (std::uint64_t i = first; i < end; ++i) {
          out[i] = e4m3(load<std::uint8_t>(bytes, begin + i)) * factor;
          if (!std::isnan(out[i])) continue;
          return fail(Errc::bad_file, "tensor '", values_->name, "' has a NaN at row ", row,
                      ", column ", i);
        }
      }
      return {};
    case SourceType::i8:
      for (std::uint64_t i = 0; i < columns_; i += 2) {
        DS4_TRY(const float factor, scale(row, i / kFp4Block));
        const auto codes = load<std::uint8_t>(bytes, (begin + i) / 2);
        out[i] = kFp4[codes & 15] * factor;
        out[i + 1] = kFp4[codes >> 4] * factor;
      }
      return {};
    default:
      return fail(Errc::unsupported, "tensor '", values_->name, "' of type ",
                  source_type_name(values_->type), " holds no weights");
  }
}

Result<void> SourceMatrix::read_row_mxfp4(std::uint64_t row, std::byte* out) const {
  // The checkpoint interleaves neighbours in a byte; MXFP4 pairs column i with column i + 16.
  const std::uint64_t blocks = columns_ / kFp4Block;
  for (std::uint64_t block = 0; block < blocks; ++block) {
    const auto code = load<std::uint8_t>(scales_->bytes, row * blocks + block);
    if (code == kScaleNan) {
      return fail(Errc::bad_file, "tensor '", scales_->name, "' has a NaN scale at row ", row);
    }
    const std::byte* packed = values_->bytes.data() + (row * columns_ + block * kFp4Block) / 2;
    const auto nibble = [packed](std::size_t column) {
      const auto byte = std::to_integer<unsigned>(packed[column / 2]);
      return column % 2 == 0 ? byte & 15U : byte >> 4;
    };
    std::byte* target = out + block * kMxfp4Bytes;
    target[0] = std::byte{code};
    for (std::size_t i = 0; i < kFp4Block / 2; ++i) {
      target[1 + i] = static_cast<std::byte>(nibble(i) | (nibble(i + 16) << 4));
    }
  }
  return {};
}

Result<void> SourceMatrix::read_row_i32(std::uint64_t row, std::int32_t* out) const {
  const bool is_wide = values_->type == SourceType::i64;
  if (!is_wide && values_->type != SourceType::i32) {
    return fail(Errc::unsupported, "tensor '", values_->name, "' of type ",
                source_type_name(values_->type), " should hold I64 or I32");
  }
  for (std::uint64_t i = 0; i < columns_; ++i) {
    const std::uint64_t at = row * columns_ + i;
    const std::int64_t value =
        is_wide ? load<std::int64_t>(values_->bytes, at) : load<std::int32_t>(values_->bytes, at);
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max()) {
      return fail(Errc::bad_file, "tensor '", values_->name, "' holds ", value, " at row ", row,
                  ", beyond 32 bits");
    }
    out[i] = static_cast<std::int32_t>(value);
  }
  return {};
}

}  // namespace ds4::quantize
