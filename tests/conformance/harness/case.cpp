#include "tests/conformance/harness/case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/checked.hpp"
#include "format/dtype.hpp"
#include "format/half.hpp"
#include "format/quants/quants.hpp"
#include "ops/row_codec.hpp"

namespace ds4::conformance {
namespace {

constexpr std::uint64_t kGuardBytes = 256;
constexpr std::byte kGuard{0xA5};
constexpr std::byte kPoison{0xFF};     // NaN as a float and in every code
constexpr std::byte kPoisonInt{0x5A};  // no id of any case
// Larger weights of a model's size are made of blocks that repeat.
constexpr std::size_t kMostDrawnValues = std::size_t{1} << 16;

ds4_view view_of(std::uint32_t dtype, std::span<const std::uint32_t> extents,
                 std::uint32_t row_tail) {
  ds4_view view{};
  view.dtype = dtype;
  view.rank = static_cast<std::uint32_t>(extents.size());
  std::copy(extents.begin(), extents.end(), view.extent);
  view.row_tail = row_tail;
  set_contiguous_strides(view);
  return view;
}

std::size_t count_of(std::span<const std::uint32_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), std::size_t{1}, std::multiplies<>());
}

/// Activations that share an int8 scale with a weight of this type and role; 0: they stay as they
/// are (backend.h, DS4_CAP_INT8_ACTIVATIONS).
std::uint32_t int8_block(std::uint32_t dtype, std::uint32_t role) {
  const DtypeTraits* traits = find_traits(static_cast<Dtype>(dtype));
  const bool is_exact = role == DS4_ROLE_ROUTER || role == DS4_ROLE_HC_MIX ||
                        role == DS4_ROLE_EMBEDDING || traits == nullptr;
  return is_exact || traits->block_elements == 1 ? 0 : traits->block_elements;
}

/// A random row that decodes to finite values; gaps are zero.
void random_row(Random& random, const ds4_view& view, std::byte* row) {
  const std::uint32_t width = view_width(view);
  const bool is_kv = view.dtype == DS4_DTYPE_KV_ROW;
  const std::uint32_t head = is_kv ? width - view.row_tail : width;
  const std::uint32_t code_bytes = is_kv ? head : (width + 1) / 2;
  const std::uint32_t block = is_kv ? 64 : 32;
  for (std::uint32_t i = 0; i < code_bytes; ++i) {
    auto code = static_cast<std::uint8_t>(random.bits());
    if (is_kv && (code & 0x7F) == 0x7F) code = 0x38;
    row[i] = std::byte{code};
  }
  std::byte* at = row + code_bytes;
  // Scales that keep rows near 1, as normed rows are: e4m3 codes reach 448, e2m1 codes 6.
  const int exponent = is_kv ? 119 : 125;
  for (std::uint32_t i = 0; i < (head + block - 1) / block; ++i) {
    *at++ = static_cast<std::byte>(exponent + static_cast<int>(random.below(3)));
  }
  // What is not a block's begins on a word.
  at = row + round_up(static_cast<std::uint64_t>(at - row), 4);
  for (std::uint32_t i = head; i < width; ++i) {
    const auto value = static_cast<float>(random.normal());
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    const auto high = static_cast<std::uint16_t>(bits >> 16);
    std::memcpy(at, &high, 2);
    at += 2;
  }
}

}  // namespace

Case::Case(Backend& backend, std::uint64_t seed, std::string_view label, const RowCase& rows,
           CaseOptions options)
    : backend_(backend),
      random_(seed, label),
      rows_(rows),
      options_(std::move(options)),
      sizes_(seed, "sizes of " + std::string(label)) {
  std::vector<std::int32_t> header(DS4_STEP_HEADER_WORDS, 0);
  header[DS4_STEP_ROWS] = static_cast<std::int32_t>(rows.decode_rows + rows.prefill_rows);
  header[DS4_STEP_DECODE_ROWS] = static_cast<std::int32_t>(rows.decode_rows);
  header[DS4_STEP_PREFILL_ROWS] = static_cast<std::int32_t>(rows.prefill_rows);
  header[DS4_STEP_PREFILL_SLOT] = rows.prefill_rows == 0 ? -1 : 1;
  step_ = ints({DS4_STEP_HEADER_WORDS}, header).view;
  dtype_ = DS4_DTYPE_F32;
}

Case::~Case() {
  for (const Tensor& tensor : tensors_) {
    if (tensor.view.buffer) backend_.destroy_buffer(tensor.view.buffer);
  }
  for (const Weight& weight : weights_) {
    if (weight.handle) backend_.destroy_weight(weight.handle);
  }
}

void Case::fail_with(const Error& error) {
  if (!outcome_.failure) outcome_.failure = error;
}

std::uint32_t Case::extent(std::uint32_t usual, std::uint32_t low, std::uint32_t unit,
                           std::uint32_t high) {
  std::uint32_t value = usual;
  if (extents_.size() < options_.extents.size()) {
    value = options_.extents[extents_.size()];
  } else if (options_.draws_extents) {
    // Half of the sizes lie around a power of two, where tiles end; the others are log-uniform.
    const double span = std::log2(static_cast<double>(high) / low);
    const double share = 0.5 * (sizes_.uniform() + 1);
    const double drawn = low * std::exp2(share * span);
    value = static_cast<std::uint32_t>(drawn);
    if (sizes_.below(2) == 0) {
      value = (1U << static_cast<std::uint32_t>(std::ilogb(drawn))) + sizes_.below(3) - 1;
    }
  }
  value = std::clamp(value / unit * unit, (low + unit - 1) / unit * unit, std::max(high, usual));
  extents_.push_back(value);
  return value;
}

std::uint32_t Case::size(const Size& of) {
  if (options_.is_model) return of.model;
  return extent(of.usual, of.low, of.unit, of.high);
}

std::uint32_t Case::width(std::uint32_t dtype, std::uint32_t usual, std::uint32_t model) {
  const DtypeTraits* traits = find_traits(static_cast<Dtype>(dtype));
  if (traits == nullptr || traits->block_elements == 1) {
    return size({.usual = usual, .model = model});
  }
  return size({.usual = 256, .model = model, .low = 256, .unit = 256, .high = 1024});
}

void Case::note_dtype(std::uint32_t dtype) noexcept {
  if (dtype_ == DS4_DTYPE_F32 && dtype != DS4_DTYPE_F32 && dtype != DS4_DTYPE_I32) dtype_ = dtype;
}

double Case::sample() {
  switch (rows_.values) {
    case Values::equal:
      return 0.75;
    case Values::powers:
      return std::ldexp(random_.below(2) == 0 ? 1.0 : -1.0, static_cast<int>(random_.below(9)) - 5);
    case Values::sparse:
      return random_.below(16) == 0 ? random_.normal() : random_.below(2) == 0 ? 0.0 : -0.0;
    case Values::tiny:
      return 1e-30 * random_.normal();
    case Values::zero:
      return 0;
    case Values::large:
      return 1e4 * random_.normal();
    default:
      return random_.normal();
  }
}

Tensor& Case::allocate(ds4_view view, const std::vector<std::byte>* content) {
  note_dtype(view.dtype);
  Tensor& tensor = tensors_.emplace_back();
  // No more aligned than the device asks for.
  tensor.begin = round_up(kGuardBytes, 2 * backend_.alignment()) + backend_.alignment();
  std::uint64_t bytes = view_span_bytes(view);
  if (view.rank == 1 && view.extent[0] != 0 && !is_row_dtype(view.dtype)) {
    // Single values may lie apart, as the columns of the step block's row table do.
    bytes = (view.extent[0] - 1) * view.stride[0] + element_bytes(view.dtype);
  }
  tensor.initial.assign(2 * tensor.begin + bytes, kGuard);
  std::fill_n(tensor.initial.begin() + static_cast<std::ptrdiff_t>(tensor.begin), bytes,
              view.dtype == DS4_DTYPE_I32 ? kPoisonInt : kPoison);
  tensor.is_input = content != nullptr;
  if (content && !content->empty()) {
    std::memcpy(tensor.initial.data() + tensor.begin, content->data(), content->size());
  }
  view.offset = tensor.begin;
  tensor.width = view_width(view);
  if (auto buffer = backend_.create_buffer(tensor.initial.size())) {
    view.buffer = *buffer;
  } else {
    fail_with(buffer.error());
  }
  tensor.view = view;
  return tensor;
}

const Tensor& Case::floats(std::initializer_list<std::uint32_t> extents,
                           std::vector<float> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  Tensor& tensor = allocate(view_of(DS4_DTYPE_F32, extents, 0), &bytes);
  tensor.values = std::move(values);
  return tensor;
}

const Tensor& Case::input(std::initializer_list<std::uint32_t> extents, double scale) {
  std::vector<float> values(count_of(extents));
  for (float& value : values) value = static_cast<float>(scale * sample());
  return floats(extents, std::move(values));
}

const Tensor& Case::ties(std::initializer_list<std::uint32_t> extents) {
  std::vector<float> values(count_of(extents));
  for (float& value : values) value = static_cast<float>(std::round(sample()));
  return floats(extents, std::move(values));
}

const Tensor& Case::encoded(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                            std::uint32_t row_tail) {
  if (dtype == DS4_DTYPE_F32) return input(extents, 0.5);
  if (dtype == DS4_DTYPE_F16 || dtype == DS4_DTYPE_BF16) return halves(dtype, extents);
  const ds4_view view = view_of(dtype, extents, row_tail);
  const std::uint64_t row_bytes = view_row_bytes(dtype, view_width(view), row_tail).value_or(0);
  std::vector<std::byte> bytes(view_span_bytes(view));
  std::vector<float> values;
  for (std::size_t at = 0; row_bytes != 0 && at < bytes.size(); at += row_bytes) {
    random_row(random_, view, bytes.data() + at);
    const auto row = decode_view_row(dtype, view_width(view), row_tail, bytes.data() + at);
    values.insert(values.end(), row.begin(), row.end());
  }
  Tensor& tensor = allocate(view, &bytes);
  tensor.values = std::move(values);
  return tensor;
}

const Tensor& Case::halves(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) {
  std::vector<float> values(count_of(extents));
  std::vector<std::byte> bytes(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(0.5 * sample());
    const bool is_half = dtype == DS4_DTYPE_F16;
    const std::uint16_t bits = is_half ? float_to_half(value) : float_to_bfloat(value);
    values[i] = is_half ? half_to_float(bits) : bfloat_to_float(bits);
    std::memcpy(&bytes[2 * i], &bits, sizeof(bits));
  }
  Tensor& tensor = allocate(view_of(dtype, extents, 0), &bytes);
  tensor.values = std::move(values);
  return tensor;
}

const Tensor& Case::ints(std::initializer_list<std::uint32_t> extents,
                         const std::vector<std::int32_t>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(std::int32_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return allocate(view_of(DS4_DTYPE_I32, extents, 0), &bytes);
}

const Tensor& Case::output(std::uint32_t dtype, std::initializer_list<std::uint32_t> inner) {
  std::vector<std::uint32_t> extents{rows_.tile_rows};
  extents.insert(extents.end(), inner.begin(), inner.end());
  ds4_view view = view_of(dtype, extents, 0);
  view.stride[0] += rows_.gap * std::uint64_t{element_bytes(dtype)};
  view.first_row = rows_.tile_first;
  return allocate(view, nullptr);
}

const Tensor& Case::accumulator(std::initializer_list<std::uint32_t> inner) {
  std::vector<std::uint32_t> extents{rows_.tile_rows};
  extents.insert(extents.end(), inner.begin(), inner.end());
  ds4_view view = view_of(DS4_DTYPE_F32, extents, 0);
  view.first_row = rows_.tile_first;
  std::vector<float> values(count_of(extents));
  for (float& value : values) value = static_cast<float>(sample());
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  Tensor& tensor = allocate(view, &bytes);
  tensor.values = std::move(values);
  return tensor;
}

const Tensor& Case::storage(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                            std::uint32_t row_tail) {
  Tensor& tensor = allocate(view_of(dtype, extents, row_tail), nullptr);
  tensor.is_storage = true;
  return tensor;
}

const Weight& Case::weight(std::uint32_t dtype, std::uint32_t role,
                           std::initializer_list<std::uint32_t> extents, double scale,
                           double offset) {
  const std::uint32_t width = *(extents.end() - 1);
  // Types in blocks of 256 values have encoders that search: most of the time of an op with
  // experts.
  const DtypeTraits* const traits = find_traits(static_cast<Dtype>(dtype));
  const bool is_slow = traits != nullptr && traits->block_elements == 256;
  const bool is_large = options_.is_model && count_of(extents) > kMostDrawnValues;
  if (offset == 0 && (is_slow || is_large)) return import_repeated(dtype, role, extents, scale);
  std::vector<float> values(count_of(extents));
  for (float& value : values) value = static_cast<float>(offset + scale * random_.normal());
  const auto format = static_cast<Dtype>(dtype);
  const auto row = row_bytes(format, width);
  if (!row) {
    fail_with(row.error());
    return weights_.emplace_back();
  }
  std::vector<std::byte> bytes(values.size() / width * *row);
  for (std::size_t r = 0; r < values.size() / width; ++r) {
    auto done = quantize_row(format, &values[r * width], &bytes[r * *row], width);
    if (done) done = dequantize_row(format, &bytes[r * *row], &values[r * width], width);
    if (!done) fail_with(done.error());
  }
  return import(dtype, role, extents, bytes, std::move(values));
}

const Weight& Case::id_table(std::uint32_t rows, std::uint32_t columns, std::uint32_t limit) {
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::uint32_t i = 0; i < rows * columns; ++i) {
    // Every seventh names nobody.
    const auto id = i % 7 == 3 ? -1 : static_cast<std::int32_t>(random_.below(limit));
    values.push_back(static_cast<float>(id));
    const auto* begin = reinterpret_cast<const std::byte*>(&id);
    bytes.insert(bytes.end(), begin, begin + sizeof(id));
  }
  return import(DS4_DTYPE_I32, DS4_ROLE_TOKEN_TABLE, {rows, columns}, bytes, std::move(values));
}

const Weight& Case::import(std::uint32_t dtype, std::uint32_t role,
                           std::initializer_list<std::uint32_t> extents,
                           const std::vector<std::byte>& bytes, std::vector<float> values) {
  Weight& weight = add_weight(describe(dtype, role, extents, bytes.size()));
  weight.values = std::move(values);
  const ds4_weight_desc desc = describe(dtype, role, extents, bytes.size());
  if (auto handle = backend_.create_weight(desc, bytes)) {
    weight.handle = *handle;
  } else {
    fail_with(handle.error());
  }
  return weight;
}

const Weight& Case::import_repeated(std::uint32_t dtype, std::uint32_t role,
                                    std::initializer_list<std::uint32_t> extents, double scale) {
  const std::uint32_t width = *(extents.end() - 1);
  const auto row = row_bytes(static_cast<Dtype>(dtype), width);
  // Other blocks for each weight of a case, and the same ones for all cases of an op.
  auto blocks = RepeatedBlocks::make(static_cast<Dtype>(dtype), scale, width, weights_.size() + 1);
  if (!row || !blocks) {
    fail_with(row ? blocks.error() : row.error());
    return weights_.emplace_back();
  }
  const ds4_weight_desc desc = describe(dtype, role, extents, count_of(extents) / width * *row);
  Weight& weight = add_weight(desc);
  weight.repeated = *blocks;
  const auto fill = [&](std::uint64_t at, std::span<std::byte> out) { (*blocks)->copy(at, out); };
  if (auto handle = backend_.create_weight(desc, fill)) {
    weight.handle = *handle;
  } else {
    fail_with(handle.error());
  }
  return weight;
}

ds4_weight_desc Case::describe(std::uint32_t dtype, std::uint32_t role,
                               std::initializer_list<std::uint32_t> extents, std::uint64_t bytes) {
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = dtype;
  desc.role = role;
  desc.layer = 7;
  desc.rank = static_cast<std::uint32_t>(extents.size());
  std::copy(extents.begin(), extents.end(), desc.extent);
  desc.bytes = bytes;
  desc.name = "conformance";
  return desc;
}

Weight& Case::add_weight(const ds4_weight_desc& desc) {
  note_dtype(desc.dtype);
  Weight& weight = weights_.emplace_back();
  weight.width = desc.extent[desc.rank - 1];
  weight.role = desc.role;
  weight.bytes = desc.bytes;
  weight.row_count = 1;
  for (std::uint32_t axis = 0; axis + 1 < desc.rank; ++axis) weight.row_count *= desc.extent[axis];
  if (backend_.has(DS4_CAP_INT8_ACTIVATIONS)) {
    weight.int8_block = int8_block(desc.dtype, desc.role);
  }
  outcome_.is_int8 = outcome_.is_int8 || weight.int8_block != 0;
  return weight;
}

}  // namespace ds4::conformance
