#include "tests/conformance/harness/repeated.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <tuple>
#include <utility>

#include "format/quants/quants.hpp"
#include "model/synthetic_blocks.hpp"

namespace ds4::conformance {
namespace {

constexpr std::uint64_t kValues = std::uint64_t{1} << 21;  // about as many are drawn
constexpr std::size_t kKept = 4;

bool is_prime(std::uint64_t n) {
  for (std::uint64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return n > 1;
}

}  // namespace

Result<std::shared_ptr<const RepeatedBlocks>> RepeatedBlocks::make(Dtype dtype, double deviation,
                                                                   std::uint32_t width,
                                                                   std::uint64_t seed) {
  using Key = std::tuple<Dtype, double, std::uint32_t, std::uint64_t>;
  static std::deque<std::pair<Key, std::shared_ptr<const RepeatedBlocks>>> known;
  const Key key{dtype, deviation, width, seed};
  for (const auto& [of, blocks] : known) {
    if (of == key) return blocks;
  }
  DS4_TRY(const synthetic::BlockMaker maker, synthetic::BlockMaker::make(dtype, deviation));
  std::uint64_t count = kValues / maker.elements();
  while (!is_prime(count)) ++count;
  std::shared_ptr<RepeatedBlocks> made(new RepeatedBlocks());
  made->period_ = count * maker.elements();
  made->bytes_.resize(count * maker.bytes());
  maker.fill(seed, 0, count, made->bytes_.data());
  made->values_.resize(made->period_ + width);
  DS4_CHECK(dequantize_row(dtype, made->bytes_.data(), made->values_.data(), made->period_));
  std::copy_n(made->values_.begin(), width,
              made->values_.begin() + static_cast<std::ptrdiff_t>(made->period_));
  if (known.size() == kKept) known.pop_front();
  known.emplace_back(key, made);
  return std::shared_ptr<const RepeatedBlocks>(std::move(made));
}

void RepeatedBlocks::copy(std::uint64_t at, std::span<std::byte> out) const noexcept {
  std::size_t from = static_cast<std::size_t>(at % bytes_.size());
  while (!out.empty()) {
    const std::size_t part = std::min(out.size(), bytes_.size() - from);
    std::memcpy(out.data(), bytes_.data() + from, part);
    out = out.subspan(part);
    from = 0;
  }
}

}  // namespace ds4::conformance
