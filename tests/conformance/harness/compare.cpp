#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/op_table.hpp"
#include "ops/row_codec.hpp"
#include "plan/lowering/lowering.hpp"
#include "tests/conformance/harness/case.hpp"
#include "tests/conformance/tolerances.hpp"

// The comparison of results. What else a case may look at is in aspects.cpp.

namespace ds4::conformance {

/// Collects a composition; scratch comes from the case, filled with poison.
class CaseSink final : public LoweringSink {
 public:
  explicit CaseSink(Case& owner) : case_(owner) {}

  ds4_view scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) override {
    ds4_view view{};
    view.dtype = dtype;
    for (const std::uint32_t extent : extents) view.extent[view.rank++] = extent;
    set_contiguous_strides(view);
    return case_.allocate(view, nullptr).view;
  }

  void emit(const ds4_op& op) override {
    auto& words = ops_.emplace_back((op.struct_size + 7) / 8);
    std::memcpy(words.data(), &op, op.struct_size);
  }

  [[nodiscard]] std::vector<const ds4_op*> ops() const {
    std::vector<const ds4_op*> result;
    for (const auto& words : ops_) result.push_back(reinterpret_cast<const ds4_op*>(words.data()));
    return result;
  }

 private:
  Case& case_;
  std::deque<std::vector<std::uint64_t>> ops_;
};

namespace {

std::string_view tolerance_name(std::uint32_t id) {
  switch (id) {
    case DS4_OP_ATTENTION_ROWS:
    case DS4_OP_ATTN_DECODE:
    case DS4_OP_ATTN_PREFILL_WINDOW:
    case DS4_OP_ATTN_PREFILL_MIXED:
    case DS4_OP_ATTN_INDEXED:
      return "attention";
    default:
      return op_name(id);
  }
}

bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace

void Case::compare(const ds4_op& fused, const std::vector<Check>& checks) {
  if (outcome_.failure) return;
  op_name_ = tolerance_name(fused.id);
  if (auto done = run(fused, checks); !done) fail_with(done.error());
}

Result<void> Case::restore() {
  for (const Tensor& tensor : tensors_) {
    DS4_CHECK(backend_.write(tensor.view.buffer, tensor.initial));
  }
  return {};
}

Result<std::vector<std::vector<std::byte>>> Case::snapshot(const std::vector<Check>& checks) {
  std::vector<std::vector<std::byte>> result;
  for (const Check& check : checks) {
    auto& bytes = result.emplace_back(check.tensor->initial.size());
    DS4_CHECK(backend_.read(check.tensor->view.buffer, bytes));
  }
  return result;
}

Result<void> Case::run(const ds4_op& fused, const std::vector<Check>& checks) {
  std::string reason;
  DS4_TRY(const std::uint32_t level, backend_.support(fused, &reason));
  if (level == DS4_SUPPORT_NO) {
    const OpTraits* traits = find_op(fused.id);
    if (traits != nullptr && traits->tier == OpTier::required) {
      return fail(Errc::unsupported, "a required op is refused: ", reason);
    }
    outcome_.composed = true;
    return {};
  }
  switch (options_.aspect) {
    case Aspect::result:
      return run_result(fused, checks);
    case Aspect::composition:
      return run_composition(fused, checks);
    case Aspect::memory:
      return run_memory(fused, checks);
    case Aspect::determinism:
      return run_repeated(fused, checks);
    case Aspect::row_invariance:
      return run_by_row(fused, checks);
    case Aspect::allocation:
      return run_counted(fused);
    case Aspect::timing:
      return run_timed(fused);
    case Aspect::errors:
      return run_wrong(fused, checks);
    case Aspect::graph:
      return run_graph(fused, checks);
    case Aspect::all:
      break;
  }
  DS4_CHECK(run_composition(fused, checks));
  return check_untouched(checks);
}

Result<Outputs> Case::run_once(std::span<const ds4_op* const> ops,
                               const std::vector<Check>& checks) {
  DS4_CHECK(restore());
  DS4_CHECK(backend_.run(ops, step_));
  return snapshot(checks);
}

Result<void> Case::run_result(const ds4_op& op, const std::vector<Check>& checks) {
  const ds4_op* one[] = {&op};
  DS4_TRY(Outputs direct, run_once(one, checks));
  if (options_.record != nullptr) {
    *options_.record = std::move(direct);
    return {};
  }
  const bool has_reference =
      options_.reference != nullptr && options_.reference->size() == checks.size();
  first_name_ = "got";
  second_name_ = has_reference ? "the reference" : "got";
  for (std::size_t i = 0; i < checks.size(); ++i) {
    DS4_CHECK(
        check_output(checks[i], direct[i], has_reference ? (*options_.reference)[i] : direct[i]));
  }
  return {};
}

Result<void> Case::run_composition(const ds4_op& op, const std::vector<Check>& checks) {
  const OpTraits* traits = find_op(op.id);
  const bool is_required = traits != nullptr && traits->tier == OpTier::required;
  if (is_required && options_.aspect == Aspect::composition) {
    outcome_.skipped = true;
    return {};
  }
  const ds4_op* one[] = {&op};
  auto direct = run_once(one, checks);
  if (!direct) return direct.error().in("fused");
  if (is_required) {
    for (std::size_t i = 0; i < checks.size(); ++i) {
      DS4_CHECK(check_output(checks[i], (*direct)[i], (*direct)[i]));
    }
    return {};
  }
  CaseSink sink(*this);
  DS4_CHECK(lower(op, sink));
  if (outcome_.failure) return *outcome_.failure;
  const auto composed = run_once(sink.ops(), checks);
  if (!composed) return composed.error().in("composition");
  for (std::size_t i = 0; i < checks.size(); ++i) {
    DS4_CHECK(check_output(checks[i], (*direct)[i], (*composed)[i]));
  }
  return {};
}

Result<void> Case::check_output(const Check& check, const std::vector<std::byte>& fused,
                                const std::vector<std::byte>& composed) {
  const Tensor& tensor = *check.tensor;
  tolerance_ = check.expected ? options_.tolerance_scale * tolerance_of(op_name_, check.name) : 0;
  if (check.expected && tolerance_ == 0) {
    return fail(Errc::internal, op_name_, ".", check.name, " has no entry in tolerances.hpp");
  }
  std::size_t rows = tensor.view.extent[0];
  for (std::uint32_t axis = 1; tensor.is_storage && axis + 1 < tensor.view.rank; ++axis) {
    rows *= tensor.view.extent[axis];
  }
  const std::size_t body = tensor.initial.size() - 2 * tensor.begin;
  const bool is_padded = !tensor.is_storage && rows != 0;
  const std::size_t stride = is_padded ? tensor.view.stride[0] : rows == 0 ? 0 : body / rows;
  const std::size_t row_bytes = is_padded ? body - (rows - 1) * stride : stride;
  const std::vector<bool> judged = judged_rows(check, rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t at = tensor.begin + i * stride;
    const std::size_t row = i + tensor.view.first_row;
    const bool is_written =
        check.written ? check.written(row) : rows_.contains(static_cast<std::uint32_t>(row));
    const bool looks_at_values = options_.aspect != Aspect::memory;
    const bool looks_around = options_.aspect == Aspect::all || options_.aspect == Aspect::memory;
    if (is_written) {
      if (looks_at_values && judged[i]) {
        DS4_CHECK(check_row(check, i, &fused[at], &composed[at]));
      } else if (looks_at_values) {
        DS4_CHECK(check_present(check, i, &fused[at]));
      }
    } else if (looks_around && (std::memcmp(&fused[at], &tensor.initial[at], row_bytes) != 0 ||
                                std::memcmp(&composed[at], &tensor.initial[at], row_bytes) != 0)) {
      return fail(Errc::internal, check.name, ": row ", row, " is outside the range and changed");
    }
    const std::size_t gap = looks_around && i + 1 < rows ? stride - row_bytes : 0;
    for (const std::vector<std::byte>* road : {&fused, &composed}) {
      if (std::memcmp(&(*road)[at + row_bytes], &tensor.initial[at + row_bytes], gap) != 0) {
        return fail(Errc::internal, check.name, ": memory behind row ", row, " changed");
      }
    }
  }
  return {};
}

Result<void> Case::check_row(const Check& check, std::size_t index, const std::byte* fused,
                             const std::byte* composed) {
  const ds4_view& view = check.tensor->view;
  const std::size_t row = index + view.first_row;
  std::size_t columns = 1;
  const std::uint32_t outermost = check.tensor->is_storage ? view.rank - 1 : 1;
  for (std::uint32_t axis = outermost; axis < view.rank; ++axis) columns *= view.extent[axis];
  const std::size_t wanted = check.columns ? check.columns(row) : columns;
  if (view.dtype == DS4_DTYPE_I32) return check_ids(check, row, wanted, fused, composed);
  const Estimate expected = check.expected ? check.expected(row) : Estimate{};
  if (check.expected && expected.value.size() < wanted) {
    return fail(Errc::internal, check.name, ": the case expects ", expected.value.size(),
                " values of ", wanted);
  }
  // NaN agrees with NaN, so a row that is nothing else would find nothing.
  const auto* const end = expected.value.data() + std::min(wanted, expected.value.size());
  if (end != expected.value.data() &&
      std::all_of(expected.value.data(), end, [](double v) { return std::isnan(v); })) {
    return fail(Errc::internal, check.name, "[", row, "]: the case expects nothing but NaN");
  }
  const std::size_t width = view_width(view);
  const std::size_t bytes = view_row_bytes(view.dtype, view_width(view), view.row_tail).value_or(0);
  for (std::size_t vector = 0; vector * width < wanted; ++vector) {
    const auto a =
        decode_view_row(view.dtype, view_width(view), view.row_tail, fused + vector * bytes);
    const auto b =
        decode_view_row(view.dtype, view_width(view), view.row_tail, composed + vector * bytes);
    for (std::size_t c = 0; c < width && vector * width + c < wanted; ++c) {
      DS4_CHECK(check_value(check, row, vector * width + c, a[c], b[c], expected));
    }
    if (!check.expected && !check.columns &&
        std::memcmp(fused + vector * bytes, composed + vector * bytes, bytes) != 0) {
      return fail(Errc::internal, check.name, "[", row, "]: equal values in different bytes");
    }
  }
  return {};
}

Result<void> Case::check_ids(const Check& check, std::size_t row, std::size_t columns,
                             const std::byte* fused, const std::byte* composed) {
  const std::vector<std::int32_t> expected =
      check.ids ? check.ids(row) : std::vector<std::int32_t>();
  for (std::size_t c = 0; c < columns; ++c) {
    std::int32_t a = 0;
    std::int32_t b = 0;
    std::memcpy(&a, fused + 4 * c, 4);
    std::memcpy(&b, composed + 4 * c, 4);
    if (a != b && !(check.may_swap && check.may_swap(row, a, b))) {
      return fail(Errc::internal, check.name, "[", row, ", ", c, "]: ", first_name_, " ", a, ", ",
                  second_name_, " ", b);
    }
    if (check.ids && expected.at(c) != a &&
        !(check.may_swap && check.may_swap(row, expected[c], a))) {
      return fail(Errc::internal, check.name, "[", row, ", ", c, "]: ", a, ", expected ",
                  expected[c]);
    }
  }
  return {};
}

Result<void> Case::check_value(const Check& check, std::size_t row, std::size_t column, float fused,
                               float composed, const Estimate& expected) {
  if (check.code_step) ++outcome_.values;
  const auto a = static_cast<double>(fused);
  const auto b = static_cast<double>(composed);
  if (!check.expected) {
    // A NaN is what the memory held before: nothing was written.
    if (same_bits(fused, composed) && !std::isnan(fused)) return {};
    return fail(Errc::internal, check.name, "[", row, ", ", column, "]: ", first_name_, " ", fused,
                ", ", second_name_, " ", composed, ", wanted the same bits");
  }
  const double want = expected.value[column];
  if (std::isinf(want) && a == want && b == want) return {};
  // Memory that nothing was written to holds a NaN of its own.
  const auto is_written_nan = [](float value) {
    return std::isnan(value) && std::bit_cast<std::uint32_t>(value) != 0xFFFFFFFFU;
  };
  if (std::isnan(want) && is_written_nan(fused) && is_written_nan(composed)) return {};
  // A NaN of either road stays one: it is larger than any limit, which std::max would not know.
  double error = std::max({std::abs(a - b), std::abs(a - want), std::abs(b - want)});
  if (std::isnan(a) || std::isnan(b)) error = std::numeric_limits<double>::quiet_NaN();
  // The floor is the smallest normal number: below it relative bounds have no meaning.
  const double limit = tolerance_ * kEpsF32 * expected.error[column] +
                       static_cast<double>(std::numeric_limits<float>::min());
  if (outcome_.is_int8 && !check.code_step && expected.error[column] > 0 && !std::isnan(error)) {
    ++outcome_.int8_values;
    const double relative = std::abs(a - want) / (kEpsF32 * expected.error[column]);
    outcome_.int8_squares += relative * relative;
  }
  if (outcome_.is_int8 && check.code_step) {
    // An error of deviation s changes a code with a chance of 0.8 s / step; the step that is known
    // is an upper bound, and at most twice the code's own.
    const double step = check.code_step(row, column, want);
    const double deviation = kEpsF32 * expected.error[column];
    outcome_.int8_flips += step > 0 ? std::min(1.0, 1.6 * deviation / step) : 0;
  }
  if (error <= limit) {
    if (error / limit > outcome_.worst_ratio) {
      outcome_.worst_ratio = error / limit;
      outcome_.worst_error = error;
      outcome_.worst_limit = limit;
    }
    return {};
  }
  if (check.code_step) {
    const double step = std::max({check.code_step(row, column, a), check.code_step(row, column, b),
                                  check.code_step(row, column, want)});
    if (error <= step + limit) {
      ++outcome_.flips;
      return {};
    }
  }
  return fail(Errc::internal, check.name, "[", row, ", ", column, "]: ", first_name_, " ", fused,
              ", ", second_name_, " ", composed, ", expected ", want, ", off by ", error,
              ", limit ", limit);
}

Result<void> Case::check_untouched(const std::vector<Check>& checks) {
  for (const Tensor& tensor : tensors_) {
    const bool may_change =
        !tensor.is_input || std::any_of(checks.begin(), checks.end(), [&](const Check& check) {
          return check.tensor == &tensor;
        });
    std::vector<std::byte> now(tensor.initial.size());
    DS4_CHECK(backend_.read(tensor.view.buffer, now));
    if (!may_change && now != tensor.initial) {
      return fail(Errc::internal, "an input changed");
    }
    const std::size_t end = now.size() - tensor.begin;
    if (std::memcmp(now.data(), tensor.initial.data(), tensor.begin) != 0 ||
        std::memcmp(&now[end], &tensor.initial[end], tensor.begin) != 0) {
      return fail(Errc::internal, "memory before or behind a tensor changed");
    }
  }
  return {};
}

}  // namespace ds4::conformance
