// Copies of a kernel on a device: how many memory allows, and what stands for an op that is not
// there.
#include <boost/test/unit_test.hpp>

#include "bench/ops/ops_run.hpp"
#include "bench/ops/product_kernels.hpp"
#include "bench/ops/rotation.hpp"
#include "bench/probe.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

using bench::Rotation;
using bench::ShapedWeight;

constexpr std::uint64_t kMatrixBytes = 64 * 32 * 4;

ShapedWeight small_matrix() {
  ShapedWeight weight;
  weight.name = "small";
  weight.desc.struct_size = sizeof(weight.desc);
  weight.desc.dtype = DS4_DTYPE_F32;
  weight.desc.role = DS4_ROLE_MATRIX;
  weight.desc.layer = DS4_NO_LAYER;
  weight.desc.rank = 2;
  weight.desc.extent[0] = 64;
  weight.desc.extent[1] = 32;
  weight.desc.bytes = kMatrixBytes;
  weight.desc.name = "small";
  return weight;
}

struct Fixture {
  Result<Rotation> rotate(std::uint64_t wanted, std::uint64_t most) const {
    return Rotation::make(device, product.kernel, keys, nullptr, {wanted, most});
  }
  const bench::BufferKeys keys;
  const ShapedWeight weight = small_matrix();
  const std::shared_ptr<plugins::Device> device = open_device("cpu-reference", 1);
  const bench::Product product = must(bench::product_of(*device, weight, ModelConfig{}, 2, keys));
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(bench_rotation, Fixture)

BOOST_AUTO_TEST_CASE(there_are_as_many_copies_as_are_wanted_and_fit) {
  BOOST_TEST(must(rotate(10 * kMatrixBytes, 0)).bytes() == 10 * kMatrixBytes);
  BOOST_TEST(!must(rotate(10 * kMatrixBytes, 0)).is_short());
  const Rotation few = must(rotate(10 * kMatrixBytes, 3 * kMatrixBytes));
  BOOST_TEST(few.bytes() == 3 * kMatrixBytes);
  BOOST_TEST(few.is_short());
  const auto none = rotate(10 * kMatrixBytes, kMatrixBytes - 1);
  BOOST_TEST_REQUIRE(!none.ok());
  BOOST_TEST(int(none.error().code) == int(Errc::out_of_memory));
}

BOOST_AUTO_TEST_CASE(copies_take_turns_over_weights_of_their_own) {
  Rotation rotation = must(rotate(3 * kMatrixBytes, 0));
  const std::vector<const ds4_op*> ops = rotation.next(4);
  BOOST_TEST_REQUIRE(ops.size() == 4U);
  const auto weight_of = [](const ds4_op* op) {
    return reinterpret_cast<const ds4_op_matmul*>(op)->weight;
  };
  BOOST_TEST(weight_of(ops[0]) != weight_of(ops[1]));
  BOOST_TEST(weight_of(ops[1]) != weight_of(ops[2]));
  BOOST_TEST(weight_of(ops[0]) == weight_of(ops[3]));
  BOOST_TEST(weight_of(ops[0]) != weight.handle());
  // The next ones go on from there.
  BOOST_TEST(weight_of(rotation.next(1)[0]) == weight_of(ops[1]));
}

BOOST_AUTO_TEST_CASE(a_device_copies_within_its_memory) {
  const auto probe = must(bench::probe_copies(*device, 1 << 20, 2));
  BOOST_TEST(probe.bytes == std::uint64_t{1} << 20);
  BOOST_TEST(probe.bytes_per_second > 0);
  BOOST_TEST(probe.processor_bytes_per_second == 0.0);
}

BOOST_AUTO_TEST_CASE(an_op_that_is_not_there_runs_as_its_composition) {
  static ds4_status (*asks)(ds4_device*, const ds4_op*, ds4_op_support*, ds4_error*) = nullptr;
  const auto lacking = open_changed_device("cpu-reference", [](ds4_backend_api& api) {
    asks = api.op_support;
    api.op_support = [](ds4_device* on, const ds4_op* op, ds4_op_support* answer,
                        ds4_error* error) -> ds4_status {
      const ds4_status status = asks(on, op, answer, error);
      if (op->id == DS4_OP_ATTN_OUT) answer->level = DS4_SUPPORT_NO;
      return status;
    };
  });
  const ModelFile model = must(ModelFile::open("synthetic:micro", ModelChecks::header));
  bench::OpsOptions options;
  options.contexts = {256};
  options.filter = "attn_out|ffn_shared";
  options.set_bytes = 1 << 16;
  options.least_ms = 1;
  std::vector<bench::OpRow> rows;
  bench::OpsRun run;
  run.device = lacking;
  run.model = &model;
  run.on_row = [&rows](const bench::OpRow& row) -> Result<void> {
    rows.push_back(row);
    return {};
  };
  must(bench::time_ops(options, run));
  BOOST_TEST_REQUIRE(rows.size() == 2U);
  BOOST_TEST(rows[0].kernel == "attn_out");
  BOOST_TEST(rows[0].note == "composed");
  BOOST_TEST(rows[0].us_median > 0);
  BOOST_TEST(rows[1].note.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
