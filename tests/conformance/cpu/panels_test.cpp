#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ds4/backend_sdk.hpp"
#include "tests/conformance/cpu/blocks.hpp"
#include "tests/conformance/harness/backend.hpp"
#include "tests/conformance/harness/random.hpp"

// Products by instructions that multiply matrices have the bits of the products by vector
// registers: any number of columns, evenly spaced in memory or picked out, any width. Where this
// machine has no tile registers, plain code stands in their place. Levels that decode weights in
// other ways, with the same operations on what they decode, have the same bits too. A vector among
// many has the bits that it has alone, in every level.

namespace ds4::conformance {
namespace {

constexpr std::uint32_t kRows = 48;
constexpr std::uint32_t kDtypes[] = {DS4_DTYPE_Q8_0, DS4_DTYPE_Q2_K, DS4_DTYPE_IQ2_XXS};

/// Two that must have the same bits: a level with vector registers and its twin with panels, or two
/// levels whose operations are the same.
using Pair = std::array<std::unique_ptr<Backend>, 2>;

/// The pairs of this build that run here; the others are named.
std::vector<Pair> pairs() {
  const std::pair<const char*, const char*> files[] = {DS4_PANEL_PAIRS};
  std::vector<Pair> out;
  for (const auto& [plain, panels] : files) {
    auto first = Backend::open(plain, 0, 2);
    auto second = Backend::open(panels, 0, 2);
    if (!first || !second) {
      const std::string why = first ? second.error().what : first.error().what;
      const bool is_lacking = why.find(": the processor ") != std::string::npos ||
                              why.find(": the operating system ") != std::string::npos;
      BOOST_REQUIRE_MESSAGE(is_lacking, why);
      std::cerr << "left out: " << why << '\n';
      continue;
    }
    out.push_back({*std::move(first), *std::move(second)});
  }
  BOOST_REQUIRE(!out.empty());
  return out;
}

std::vector<float> random_floats(Random& random, std::size_t count) {
  std::vector<float> out(count);
  for (float& x : out) x = static_cast<float>(random.normal());
  return out;
}

/// A buffer of a backend with some bytes in it.
class Filled {
 public:
  Filled(Backend& backend, std::span<const std::byte> bytes)
      : backend_(backend), buffer_(must(backend.create_buffer(bytes.size()))) {
    must(backend.write(buffer_, bytes));
  }
  ~Filled() { backend_.destroy_buffer(buffer_); }
  Filled(const Filled&) = delete;
  Filled& operator=(const Filled&) = delete;
  [[nodiscard]] ds4_buffer* get() const { return buffer_; }

 private:
  Backend& backend_;
  ds4_buffer* buffer_;
};

struct Case {
  std::uint32_t dtype;
  std::uint32_t blocks;
  std::uint32_t groups;  ///< 1: matmul
  std::uint32_t rows;    ///< of x
  std::uint32_t taken;   ///< groups that a row takes
  bool shares_x;         ///< one vector of x for all of them
};

struct Data {
  std::vector<std::byte> weight;
  std::vector<float> x;
  std::vector<std::int32_t> ids;
};

std::uint32_t width_of(const Case& c) {
  return c.blocks * sdk::block_shape(c.dtype).values;
}
std::uint32_t vectors_of(const Case& c) {
  return c.shares_x ? 1 : c.taken;
}

Data data_of(const Case& c) {
  Random random(c.rows, std::string(sdk::dtype_name(c.dtype)));
  Data data;
  data.weight = random_blocks(random, c.dtype, std::size_t{c.groups} * kRows * c.blocks);
  data.x = random_floats(random, std::size_t{c.rows} * vectors_of(c) * width_of(c));
  // The first rows: zeros, one large value that leaves 0 of the others, and none but the largest
  // byte.
  std::fill_n(data.x.begin(), width_of(c), 0.0F);
  if (c.rows > 1) data.x[std::size_t{vectors_of(c)} * width_of(c)] = 1e6F;
  for (std::uint32_t k = 0; c.rows > 2 && k < width_of(c); ++k) {
    float& x = data.x[std::size_t{2} * vectors_of(c) * width_of(c) + k];
    x = std::copysign(0.5F, x);
  }
  for (std::uint32_t i = 0; i < c.rows * c.taken; ++i) {
    data.ids.push_back(static_cast<std::int32_t>(random.below(c.groups + 1)) - 1);
  }
  return data;
}

std::vector<float> product(Backend& backend, const Case& c, const Data& data) {
  const std::uint32_t width = width_of(c);
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = c.dtype;
  desc.layer = DS4_NO_LAYER;
  desc.bytes = data.weight.size();
  desc.name = "w";
  desc.role = c.groups == 1 ? DS4_ROLE_MATRIX : DS4_ROLE_EXPERT_UP;
  desc.rank = c.groups == 1 ? 2 : 3;
  desc.extent[0] = c.groups;
  desc.extent[desc.rank - 2] = kRows;
  desc.extent[desc.rank - 1] = width;
  ds4_weight* weight = must(backend.create_weight(desc, data.weight));
  const Filled x(backend, std::as_bytes(std::span(data.x)));
  const Filled ids(backend, std::as_bytes(std::span(data.ids)));
  std::vector<float> values(std::size_t{c.rows} * c.taken * kRows, -1.0F);
  const Filled y(backend, std::as_bytes(std::span(values)));
  const ds4_range rows = {c.rows, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  ds4_op_matmul one{};
  ds4_op_grouped_matmul many{};
  const ds4_op* ops[] = {&one.op};
  if (c.groups == 1) {
    one.op = {sizeof(one), DS4_OP_MATMUL, 0, 0};
    one.rows = rows;
    one.weight = weight;
    one.x = sdk::make_view(x.get(), 0, DS4_DTYPE_F32, {c.rows, width});
    one.y = sdk::make_view(y.get(), 0, DS4_DTYPE_F32, {c.rows, kRows});
  } else {
    many.op = {sizeof(many), DS4_OP_GROUPED_MATMUL, 0, 0};
    many.rows = rows;
    many.weight = weight;
    many.x = sdk::make_view(x.get(), 0, DS4_DTYPE_F32, {c.rows, vectors_of(c), width});
    many.ids = sdk::make_view(ids.get(), 0, DS4_DTYPE_I32, {c.rows, c.taken});
    many.y = sdk::make_view(y.get(), 0, DS4_DTYPE_F32, {c.rows, c.taken, kRows});
    ops[0] = &many.op;
  }
  must(backend.run(ops, {}));
  must(backend.read(y.get(), std::as_writable_bytes(std::span(values))));
  backend.destroy_weight(weight);
  return values;
}

/// Every level of this build that runs here.
std::vector<std::unique_ptr<Backend>> levels() {
  std::vector<std::unique_ptr<Backend>> out;
  for (const char* file : {DS4_LEVEL_FILES}) {
    auto level = Backend::open(file, 0, 2);
    if (level) out.push_back(*std::move(level));
  }
  BOOST_REQUIRE(!out.empty());
  return out;
}

/// All rows at once, then each by itself.
void check_alone(Backend& level, const Case& c) {
  const Data data = data_of(c);
  const std::vector<float> together = product(level, c, data);
  const std::size_t x = std::size_t{vectors_of(c)} * width_of(c);
  const std::size_t y = std::size_t{c.taken} * kRows;
  std::uint32_t wrong = 0;
  for (std::uint32_t r = 0; r < c.rows; ++r) {
    Case one = c;
    one.rows = 1;
    const float* row = data.x.data() + r * x;
    const std::int32_t* ids = data.ids.data() + std::size_t{r} * c.taken;
    const std::vector<float> alone =
        product(level, one, {data.weight, {row, row + x}, {ids, ids + c.taken}});
    wrong += std::memcmp(alone.data(), together.data() + r * y, y * sizeof(float)) != 0 ? 1 : 0;
  }
  BOOST_TEST_CONTEXT(level.title() << ": " << sdk::dtype_name(c.dtype) << ", " << c.blocks
                                   << " blocks, " << c.rows << " rows") {
    BOOST_TEST(wrong == 0);
  }
}

void check(const Pair& pair, const Case& c) {
  const Data data = data_of(c);
  const std::vector<float> expected = product(*pair[0], c, data);
  const std::vector<float> got = product(*pair[1], c, data);
  BOOST_TEST_CONTEXT(pair[1]->title() << ": " << sdk::dtype_name(c.dtype) << ", " << c.blocks
                                      << " blocks, " << c.rows << " rows") {
    BOOST_TEST(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) == 0);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(panels)

BOOST_AUTO_TEST_CASE(columns_that_lie_evenly_change_no_bit) {
  for (const Pair& pair : pairs()) {
    for (const std::uint32_t dtype : kDtypes) {
      for (const std::uint32_t blocks : {1U, 2U, 5U}) {
        for (const std::uint32_t rows : {1U, 8U, 9U, 15U, 16U, 17U, 24U, 25U, 47U, 64U, 70U}) {
          check(pair, {dtype, blocks, 1, rows, 1, false});
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(columns_that_are_picked_out_change_no_bit) {
  for (const Pair& pair : pairs()) {
    for (const std::uint32_t dtype : kDtypes) {
      for (const std::uint32_t rows : {9U, 40U, 130U}) {
        check(pair, {dtype, 3, 3, rows, 2, false});
        check(pair, {dtype, 3, 3, rows, 2, true});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_column_among_many_has_the_bits_that_it_has_alone) {
  for (const std::unique_ptr<Backend>& level : levels()) {
    for (const std::uint32_t dtype : kDtypes) {
      for (const std::uint32_t blocks : {1U, 4U, 9U}) {
        for (const std::uint32_t rows : {3U, 4U, 7U, 12U, 65U, 70U}) {
          check_alone(*level, {dtype, blocks, 1, rows, 1, false});
        }
      }
      check_alone(*level, {dtype, 3, 3, 40, 2, true});
    }
    for (const std::uint32_t width : {1U, 31U, 32U, 33U, 90U}) {
      for (const std::uint32_t rows : {4U, 9U, 66U}) {
        check_alone(*level, {DS4_DTYPE_F16, width, 1, rows, 1, false});
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::conformance
