#include "kv/page_pool.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4 {

BOOST_AUTO_TEST_SUITE(page_pool)

BOOST_AUTO_TEST_CASE(pages_come_lowest_first_and_run_out) {
  PagePool pool(2);
  BOOST_TEST(*pool.take() == 0U);
  BOOST_TEST(*pool.take() == 1U);
  BOOST_TEST(!pool.take());
  BOOST_TEST(pool.free_pages() == 0U);
}

BOOST_AUTO_TEST_CASE(a_shared_page_is_freed_by_its_last_holder) {
  PagePool pool(1);
  const std::uint32_t page = *pool.take();
  pool.share(page);
  BOOST_TEST(!pool.is_exclusive(page));
  pool.release(page);
  BOOST_TEST(pool.is_exclusive(page));
  BOOST_TEST(pool.free_pages() == 0U);
  pool.release(page);
  BOOST_TEST(pool.free_pages() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
