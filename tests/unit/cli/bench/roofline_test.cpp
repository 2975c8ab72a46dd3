#include "bench/roofline.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/unit/engine/flash.hpp"

namespace ds4::bench {

BOOST_AUTO_TEST_SUITE(bench_roofline)

// The figures are those of the performance notes, sections 1.2, 1.3 and 1.6: computed there from
// the shapes of the released model.
BOOST_AUTO_TEST_CASE(a_flash_token_moves_what_the_tables_say) {
  const test::HeaderModel flash("flash");
  const Roofline roofline(*flash.file, {});
  const auto gigabytes = [&](std::uint32_t context) {
    return static_cast<double>(roofline.decode_bytes(context)) / 1e9;
  };
  const auto near = boost::test_tools::tolerance(0.001);
  // 9.19 GB while the query of the indexer is not needed, 9.554 GB after; rows of 10 to 39 MB.
  BOOST_TEST(gigabytes(2048) == 9.191 + 0.0104, near);
  BOOST_TEST(gigabytes(8192) == 9.554 + 0.0132, near);
  BOOST_TEST(gigabytes(65536) == 9.554 + 0.0389, near);
  BOOST_TEST(gigabytes(2051) < 9.3);  // 512 compressed rows: all are chosen
  BOOST_TEST(gigabytes(2052) > 9.5);
}

BOOST_AUTO_TEST_CASE(a_large_chunk_of_flash_reads_every_expert_once) {
  const test::HeaderModel flash("flash");
  const Roofline roofline(*flash.file, {});
  const auto near = boost::test_tools::tolerance(0.005);
  BOOST_TEST(roofline.prefill_bytes(4096) / 1e9 == 85.07, near);
  // One token: everything but the head.
  BOOST_TEST(roofline.prefill_bytes(1) / 1e9 == 9.554 - 0.5626, near);
}

BOOST_AUTO_TEST_CASE(stored_experts_bound_what_a_chunk_reads) {
  SyntheticSpec spec = test::must(SyntheticSpec::make("flash"));
  spec.config.stored_experts = 8;
  const test::HeaderModel flash(spec);
  const Roofline roofline(*flash.file, {});
  // 8 experts of 43 layers and 7.078 MB, and the dense 7.17 GB.
  BOOST_TEST(roofline.prefill_bytes(512) / 1e9 == 7.17 + 8 * 43 * 0.007078,
             boost::test_tools::tolerance(0.005));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
