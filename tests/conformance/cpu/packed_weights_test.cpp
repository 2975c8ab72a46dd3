#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "ds4/backend_sdk.hpp"
#include "format/quants/quants.hpp"
#include "tests/conformance/cpu/blocks.hpp"
#include "tests/conformance/harness/backend.hpp"
#include "tests/conformance/harness/random.hpp"

// A packed weight is another order of the source's bytes: whatever was written, in whatever pieces,
// gather_rows reads the source's values back, to the last bit.

namespace ds4::conformance {
namespace {

constexpr const char* kBackend = DS4_CPU_BACKEND;

struct Shape {
  std::uint32_t dtype;
  std::uint32_t rows;
  std::uint32_t blocks;
  std::uint32_t most = 5000;  ///< bytes of a piece
};

std::vector<float> gathered(Backend& backend, const ds4_weight* weight, std::uint32_t rows,
                            std::uint32_t width) {
  ds4_buffer* ids = must(backend.create_buffer(std::uint64_t{rows} * 4));
  ds4_buffer* y = must(backend.create_buffer(std::uint64_t{rows} * width * 4));
  std::vector<std::int32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  must(backend.write(ids, std::as_bytes(std::span(order))));
  ds4_op_gather_rows op{};
  op.op = {sizeof(op), DS4_OP_GATHER_ROWS, 0, 0};
  op.rows = {rows, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  op.weight = weight;
  op.ids = sdk::make_view(ids, 0, DS4_DTYPE_I32, {rows});
  op.y = sdk::make_view(y, 0, DS4_DTYPE_F32, {rows, width});
  const ds4_op* ops[] = {&op.op};
  must(backend.run(ops, {}));
  std::vector<float> values(std::size_t{rows} * width);
  must(backend.read(y, std::as_writable_bytes(std::span(values))));
  backend.destroy_buffer(ids);
  backend.destroy_buffer(y);
  return values;
}

/// Imports in pieces of any size and any order.
ds4_weight* import_in_pieces(Backend& backend, const ds4_weight_desc& desc,
                             const std::vector<std::byte>& bytes, std::uint32_t most,
                             Random& random) {
  const ds4_backend_api& api = backend.api();
  ds4_import* import = nullptr;
  BOOST_REQUIRE(api.weight_import_begin(backend.device(), &desc, 0, &import, nullptr) == DS4_OK);
  std::vector<std::pair<std::size_t, std::size_t>> pieces;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + random.below(most));
    pieces.emplace_back(at, n);
    at += n;
  }
  for (std::size_t i = pieces.size(); i > 1; --i) {
    std::swap(pieces[i - 1], pieces[random.below(static_cast<std::uint32_t>(i))]);
  }
  for (const auto& [at, n] : pieces) {
    BOOST_REQUIRE(api.weight_import_write(import, at, bytes.data() + at, n, nullptr) == DS4_OK);
  }
  ds4_weight* weight = nullptr;
  BOOST_REQUIRE(api.weight_import_finish(import, &weight, nullptr) == DS4_OK);
  return weight;
}

void check_shape(Backend& backend, const Shape& shape) {
  const auto block = sdk::block_shape(shape.dtype);
  const std::uint32_t width = shape.blocks * block.values;
  const std::uint32_t rows = shape.rows;
  Random random(7, std::string(sdk::dtype_name(shape.dtype)));
  const std::vector<std::byte> bytes =
      random_blocks(random, shape.dtype, std::size_t{rows} * shape.blocks);
  std::vector<float> expected(std::size_t{rows} * width);
  for (std::uint32_t r = 0; r < rows; ++r) {
    must(dequantize_row(static_cast<Dtype>(shape.dtype),
                        bytes.data() + std::size_t{r} * shape.blocks * block.bytes,
                        expected.data() + std::size_t{r} * width, width));
  }
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = shape.dtype;
  desc.role = DS4_ROLE_MATRIX;
  desc.layer = DS4_NO_LAYER;
  desc.rank = 2;
  desc.extent[0] = rows;
  desc.extent[1] = width;
  desc.bytes = bytes.size();
  desc.name = "packed";

  ds4_weight_answer answer{};
  answer.struct_size = sizeof(answer);
  BOOST_REQUIRE(backend.api().weight_query(backend.device(), &desc, &answer, nullptr) == DS4_OK);
  const bool is_packed = shape.rows % 16 == 0;
  BOOST_TEST(answer.in_place == (is_packed ? 0U : 1U));
  BOOST_TEST(answer.packed_bytes == (is_packed ? desc.bytes : 0U));

  ds4_weight* weight = import_in_pieces(backend, desc, bytes, shape.most, random);
  const std::vector<float> values = gathered(backend, weight, rows, width);
  BOOST_TEST(std::memcmp(values.data(), expected.data(), values.size() * 4) == 0);
  backend.api().weight_destroy(weight);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_weights)

BOOST_AUTO_TEST_CASE(read_back_as_they_were_written) {
  const std::unique_ptr<Backend> backend = must(Backend::open(kBackend, 0, 2));
  for (const std::uint32_t dtype :
       {DS4_DTYPE_Q8_0, DS4_DTYPE_F16, DS4_DTYPE_Q2_K, DS4_DTYPE_IQ2_XXS}) {
    for (const std::uint32_t blocks : {1U, 2U, 3U, 8U}) {
      for (const std::uint32_t rows : {16U, 48U, 24U}) {
        BOOST_TEST_CONTEXT(sdk::dtype_name(dtype)
                           << ", " << rows << " rows of " << blocks << " blocks") {
          check_shape(*backend, {dtype, rows, blocks});
        }
      }
    }
  }
}

// Large pieces are shared out among the threads of the host.
BOOST_AUTO_TEST_CASE(read_back_as_they_were_written_in_large_pieces) {
  const std::unique_ptr<Backend> backend = must(Backend::open(kBackend, 0, 3));
  check_shape(*backend, {DS4_DTYPE_Q8_0, 8192, 4, 600000});
  check_shape(*backend, {DS4_DTYPE_F16, 8192, 80, 600000});
  check_shape(*backend, {DS4_DTYPE_Q2_K, 8192, 2, 600000});
  check_shape(*backend, {DS4_DTYPE_IQ2_XXS, 8192, 3, 600000});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::conformance
