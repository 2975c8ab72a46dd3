#include "validate/small_op.hpp"

#include <cmath>
#include <limits>
#include <span>

#include "ops/views.hpp"

namespace ds4::validate {
namespace {

float x_value(std::uint32_t i) {
  return static_cast<float>(static_cast<int>(i * 37 % 101) - 50) / 16;
}
float w_value(std::uint32_t i) {
  return static_cast<float>(static_cast<int>(i * 53 % 89) - 44) / 32;
}

}  // namespace

ds4_error blank_error() noexcept {
  ds4_error error{};
  error.struct_size = sizeof(error);
  return error;
}

ds4_weight_desc SmallOp::weight_desc() {
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = DS4_DTYPE_F32;
  desc.role = DS4_ROLE_MATRIX;
  desc.layer = 0;
  desc.rank = 2;
  desc.extent[0] = kOut;
  desc.extent[1] = kIn;
  desc.bytes = std::uint64_t{kOut} * kIn * sizeof(float);
  desc.name = "validate";
  return desc;
}

std::vector<float> SmallOp::weight_values() {
  std::vector<float> values(kOut * kIn);
  for (std::uint32_t i = 0; i < values.size(); ++i) values[i] = w_value(i);
  return values;
}

Result<std::unique_ptr<SmallOp>> SmallOp::make(conformance::Backend& backend) {
  std::unique_ptr<SmallOp> made(new SmallOp(backend));
  DS4_CHECK(made->create());
  return made;
}

Result<void> SmallOp::create() {
  DS4_TRY(x_, backend_.create_buffer(kRows * kIn * sizeof(float)));
  DS4_TRY(y_, backend_.create_buffer(kRows * kOut * sizeof(float)));
  DS4_TRY(block_, backend_.create_buffer(DS4_STEP_HEADER_WORDS * sizeof(std::int32_t)));
  std::vector<float> x(kRows * kIn);
  for (std::uint32_t i = 0; i < x.size(); ++i) x[i] = x_value(i);
  DS4_CHECK(backend_.write(x_, std::as_bytes(std::span(x))));
  std::vector<std::int32_t> words(DS4_STEP_HEADER_WORDS, 0);
  words[DS4_STEP_ROWS] = words[DS4_STEP_DECODE_ROWS] = kRows;
  words[DS4_STEP_PREFILL_SLOT] = -1;
  DS4_CHECK(backend_.write(block_, std::as_bytes(std::span(words))));
  const std::vector<float> weights = weight_values();
  DS4_TRY(weight_, backend_.create_weight(weight_desc(), std::as_bytes(std::span(weights))));

  op_ = make_op<ds4_op_matmul>(DS4_OP_MATMUL);
  op_.op.tag = 3;
  op_.rows = range_counted(kRows, DS4_STEP_ROWS);
  op_.weight = weight_;
  op_.x = make_view(x_, 0, DS4_DTYPE_F32, {kRows, kIn});
  op_.y = make_view(y_, 0, DS4_DTYPE_F32, {kRows, kOut});
  step_ = make_view(block_, 0, DS4_DTYPE_I32, {DS4_STEP_HEADER_WORDS});

  const ds4_op* one[] = {&op_.op};
  std::uint64_t bytes = 0;
  ds4_error error = blank_error();
  if (backend_.api().workspace_size(backend_.device(), one, 1, &bytes, &error) != DS4_OK) {
    return fail(Errc::internal, "workspace_size of a matmul: ", error.text);
  }
  if (bytes != 0) {
    DS4_TRY(workspace_, backend_.create_buffer(bytes));
    workspace_view_ =
        make_view(workspace_, 0, DS4_DTYPE_F32, {static_cast<std::uint32_t>((bytes + 3) / 4)});
  }
  return {};
}

SmallOp::~SmallOp() {
  for (ds4_buffer* buffer : {x_, y_, block_, workspace_}) {
    if (buffer != nullptr) backend_.destroy_buffer(buffer);
  }
  if (weight_ != nullptr) backend_.destroy_weight(weight_);
}

Result<void> SmallOp::clear() {
  const std::vector<float> nothing(kRows * kOut, std::numeric_limits<float>::quiet_NaN());
  return backend_.write(y_, std::as_bytes(std::span(nothing)));
}

Result<void> SmallOp::check() {
  std::vector<float> y(kRows * kOut);
  DS4_CHECK(backend_.read(y_, std::as_writable_bytes(std::span(y))));
  for (std::uint32_t r = 0; r < kRows; ++r) {
    for (std::uint32_t o = 0; o < kOut; ++o) {
      double want = 0;
      double size = 0;
      for (std::uint32_t i = 0; i < kIn; ++i) {
        const double term =
            static_cast<double>(x_value(r * kIn + i)) * static_cast<double>(w_value(o * kIn + i));
        want += term;
        size += std::abs(term);
      }
      const auto got = static_cast<double>(y[r * kOut + o]);
      if (!(std::abs(got - want) <= 1e-5 * size)) {
        return fail(Errc::internal, "a correct matmul gives ", got, " where ", want,
                    " is right (row ", r, ", column ", o, ")");
      }
    }
  }
  return {};
}

Result<void> SmallOp::run() {
  DS4_CHECK(clear());
  const ds4_op* one[] = {&op_.op};
  DS4_CHECK(backend_.run(one, step_));
  return check();
}

ds4_status SmallOp::enqueue(ds4_stream* stream, const ds4_op* op, ds4_error* error) {
  const ds4_op* one[] = {op};
  ds4_submission submission{};
  submission.struct_size = sizeof(submission);
  submission.count = 1;
  submission.ops = one;
  submission.step = step_;
  submission.workspace = workspace_view_;
  const ds4_status status = backend_.api().enqueue(stream, &submission, error);
  // An asynchronous device may report at the next sync.
  if (status != DS4_OK || stream == nullptr) return status;
  return backend_.api().stream_sync(stream, error);
}

}  // namespace ds4::validate
