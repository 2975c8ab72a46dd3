#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "ops/op_cost.hpp"
#include "tests/conformance/harness/case.hpp"

// What a case may look at besides results: memory, repetition, rows alone, allocation, graphs.

namespace ds4::conformance {
namespace {

/// A copy of a descriptor whose range can be changed: it lies behind the header of every op.
class OpCopy {
 public:
  explicit OpCopy(const ds4_op& op) : words_((op.struct_size + 7) / 8) {
    std::memcpy(words_.data(), &op, op.struct_size);
  }
  [[nodiscard]] std::size_t words() const { return words_.size(); }
  [[nodiscard]] std::uint64_t word(std::size_t index) const { return words_[index]; }
  [[nodiscard]] ds4_view& view(std::size_t at) { return *reinterpret_cast<ds4_view*>(&words_[at]); }
  [[nodiscard]] ds4_op_fill& any() { return *reinterpret_cast<ds4_op_fill*>(words_.data()); }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace

Result<void> Case::same_bits_as(const Outputs& wanted, const Outputs& got,
                                const std::vector<Check>& checks, std::string_view how) const {
  for (std::size_t i = 0; i < checks.size(); ++i) {
    // index_score's columns beyond the visible ones hold no meaning: they may differ.
    if (wanted[i] == got[i]) continue;
    const Tensor& tensor = *checks[i].tensor;
    const auto at = static_cast<std::size_t>(
        std::mismatch(wanted[i].begin(), wanted[i].end(), got[i].begin()).first -
        wanted[i].begin());
    if (checks[i].columns && tensor.width != 0) {
      const std::size_t row = (at - tensor.begin) / std::max<std::size_t>(tensor.view.stride[0], 1);
      bool differs = false;
      for (std::size_t r = row; r < tensor.view.extent[0]; ++r) {
        const std::size_t bytes = 4 * checks[i].columns(r + tensor.view.first_row);
        const std::size_t from = tensor.begin + r * tensor.view.stride[0];
        differs = differs || std::memcmp(&wanted[i][from], &got[i][from], bytes) != 0;
      }
      if (!differs) continue;
    }
    return fail(Errc::internal, checks[i].name, ": byte ", at - tensor.begin, " differs ", how);
  }
  return {};
}

Result<void> Case::run_memory(const ds4_op& op, const std::vector<Check>& checks) {
  const ds4_op* one[] = {&op};
  // What was in the workspace must not matter: NaN shows in sums, zeros do not.
  backend_.set_workspace_fill(0x00);
  const auto clean = run_once(one, checks);
  backend_.set_workspace_fill(0xFF);
  const auto poisoned = clean ? run_once(one, checks) : clean;
  backend_.set_workspace_fill({});
  if (!poisoned) return poisoned.error();
  DS4_CHECK(check_untouched(checks));
  for (std::size_t i = 0; i < checks.size(); ++i) {
    DS4_CHECK(check_output(checks[i], (*clean)[i], (*poisoned)[i]));
  }
  if (!backend_.has(DS4_CAP_DETERMINISTIC)) return {};
  return same_bits_as(*clean, *poisoned, checks, "when the workspace holds NaN");
}

Result<void> Case::run_repeated(const ds4_op& op, const std::vector<Check>& checks) {
  const ds4_op* one[] = {&op};
  DS4_TRY(const Outputs first, run_once(one, checks));
  for (std::uint32_t i = 1; i < options_.repeats; ++i) {
    DS4_TRY(const Outputs again, run_once(one, checks));
    DS4_CHECK(same_bits_as(first, again, checks,
                           "at run " + std::to_string(i + 1) + " of the same input"));
  }
  return {};
}

Result<void> Case::run_by_row(const ds4_op& op, const std::vector<Check>& checks) {
  if (rows_.count < 2) {
    outcome_.skipped = true;
    return {};
  }
  const ds4_op* one[] = {&op};
  DS4_TRY(const Outputs together, run_once(one, checks));
  DS4_CHECK(restore());
  for (std::uint32_t row = rows_.first; row < rows_.first + rows_.count; ++row) {
    OpCopy copy(op);
    copy.any().rows = {1, DS4_SLOT_NONE, row, DS4_SLOT_NONE};
    const ds4_op* alone[] = {&copy.any().op};
    DS4_CHECK(backend_.run(alone, step_));
  }
  DS4_TRY(const Outputs apart, snapshot(checks));
  return same_bits_as(together, apart, checks, "when each row runs by itself");
}

Result<void> Case::run_counted(const ds4_op& op) {
  const ds4_op* one[] = {&op};
  DS4_CHECK(restore());
  DS4_CHECK(backend_.run(one, step_));  // a first run may fill what later ones reuse
  DS4_CHECK(restore());
  (void)backend_.take_enqueue_allocations();
  DS4_CHECK(backend_.run(one, step_));
  if (const std::uint64_t count = backend_.take_enqueue_allocations(); count != 0) {
    return fail(Errc::internal, "enqueue allocates ", count, " times");
  }
  return {};
}

Result<void> Case::run_timed(const ds4_op& op) {
  constexpr std::uint32_t kRuns = 5;
  using Clock = std::chrono::steady_clock;
  const ds4_op* one[] = {&op};
  DS4_CHECK(restore());
  DS4_CHECK(backend_.run(one, step_));  // a first run fills what later ones reuse
  for (std::uint32_t i = 0; i < kRuns; ++i) {
    // What the run before left in caches goes, so that weights come from memory as in a model.
    DS4_CHECK(backend_.flush_caches());
    const auto begin = Clock::now();
    DS4_CHECK(backend_.run(one, step_));
    const std::chrono::duration<double> taken = Clock::now() - begin;
    if (i == 0 || taken.count() < outcome_.seconds) outcome_.seconds = taken.count();
  }
  for (const Weight& weight : weights_) {
    // What is read of experts and tables is the case's to know (add_work).
    const bool is_partly_read =
        weight.role >= DS4_ROLE_EXPERT_GATE && weight.role <= DS4_ROLE_TOKEN_TABLE;
    if (is_partly_read || weight.role == DS4_ROLE_EMBEDDING) continue;
    ds4_weight_desc desc{};
    desc.role = weight.role;
    desc.rank = 2;
    desc.extent[0] = static_cast<std::uint32_t>(weight.row_count);
    desc.extent[1] = weight.width;
    desc.bytes = weight.bytes;
    const OpCost cost = weight_cost(desc, {.rows = static_cast<double>(rows_.count)});
    add_work(cost.bytes, 2 * cost.macs);
  }
  for (const Tensor& tensor : tensors_) {
    if (tensor.is_storage || is_row_dtype(tensor.view.dtype) || tensor.view.rank == 0) continue;
    add_work(row_bytes_of(tensor.view, tensor.view.extent[0]), 0);
  }
  return {};
}

Result<void> Case::run_wrong(const ds4_op& op, const std::vector<Check>& checks) {
  const ds4_op* one[] = {&op};
  DS4_TRY(const Outputs right, run_once(one, checks));
  const auto expect = [&](OpCopy& copy, Errc wanted, std::string_view what) -> Result<void> {
    const ds4_op* wrong[] = {&copy.any().op};
    DS4_CHECK(restore());
    const Result<void> done = backend_.run(wrong, step_);
    if (done) return fail(Errc::internal, what, " is taken");
    if (done.error().code != wanted) {
      return fail(Errc::internal, what, " gives the wrong code: ", done.error().what);
    }
    return {};
  };
  OpCopy flag(op);
  flag.any().op.flags |= 1U << 30;
  DS4_CHECK(expect(flag, Errc::unsupported, "an unknown flag"));
  OpCopy size(op);
  size.any().op.struct_size -= 8;
  DS4_CHECK(expect(size, Errc::invalid_argument, "a struct_size that is too small"));
  OpCopy slot(op);
  slot.any().rows.count_slot = 1U << 20;
  DS4_CHECK(expect(slot, Errc::invalid_argument, "a count slot outside the step block"));

  // A view begins with its buffer: these are where the descriptor names one of the case's.
  for (std::size_t word = 0; word + sizeof(ds4_view) / 8 <= OpCopy(op).words(); ++word) {
    const std::uint64_t value = OpCopy(op).word(word);
    const bool is_view = std::any_of(tensors_.begin(), tensors_.end(), [&](const Tensor& tensor) {
      return value != 0 && value == std::bit_cast<std::uint64_t>(tensor.view.buffer);
    });
    if (!is_view) continue;
    OpCopy far(op);
    far.view(word).offset = std::uint64_t{1} << 40;
    DS4_CHECK(expect(far, Errc::invalid_argument, "a view beyond its buffer"));
    OpCopy rank(op);
    rank.view(word).rank = 9;
    DS4_CHECK(expect(rank, Errc::invalid_argument, "a view of rank 9"));
  }
  DS4_TRY(const Outputs after, run_once(one, checks));
  if (!backend_.has(DS4_CAP_DETERMINISTIC)) return {};
  return same_bits_as(right, after, checks, "after wrong calls");
}

Result<void> Case::run_graph(const ds4_op& op, const std::vector<Check>& checks) {
  const ds4_op* one[] = {&op};
  if (!backend_.takes_graph(one)) {
    outcome_.skipped = true;
    return {};
  }
  // The same step with fewer rows: what a captured op may not have taken in as a constant.
  Tensor& block = tensors_.front();
  const std::vector<std::byte> usual = block.initial;
  std::vector<std::byte> fewer = usual;
  std::array<std::int32_t, DS4_STEP_HEADER_WORDS> header{};
  std::memcpy(header.data(), &fewer[block.begin], sizeof(header));
  header[DS4_STEP_PREFILL_ROWS] = std::max(header[DS4_STEP_PREFILL_ROWS] - 2, 0);
  header[DS4_STEP_ROWS] = header[DS4_STEP_DECODE_ROWS] + header[DS4_STEP_PREFILL_ROWS];
  std::memcpy(&fewer[block.begin], header.data(), sizeof(header));

  DS4_TRY(const Outputs direct, run_once(one, checks));
  block.initial = fewer;
  const auto direct_fewer = run_once(one, checks);
  block.initial = usual;
  if (!direct_fewer) return direct_fewer.error();

  DS4_CHECK(restore());
  DS4_TRY(ds4_graph* const graph, backend_.capture(one, step_));
  const auto replay = [&]() -> Result<void> {
    for (std::uint32_t i = 0; i < options_.repeats; ++i) {
      const bool is_fewer = i % 2 == 1;
      block.initial = is_fewer ? fewer : usual;
      DS4_CHECK(restore());
      DS4_CHECK(backend_.launch(graph));
      DS4_TRY(const Outputs got, snapshot(checks));
      DS4_CHECK(same_bits_as(
          is_fewer ? *direct_fewer : direct, got, checks,
          is_fewer ? "from enqueue, replayed with another step block" : "from enqueue, replayed"));
    }
    return {};
  };
  const Result<void> done = replay();
  block.initial = usual;
  backend_.destroy_graph(graph);
  return done;
}

}  // namespace ds4::conformance
