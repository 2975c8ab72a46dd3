#include "tests/golden/oracle_vectors.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/golden/oracle_models.hpp"

using ds4::golden::OracleVectors;

namespace {

std::filesystem::path vector_path(std::string_view name, int length) {
  return std::filesystem::path(DS4_SOURCE_DIR) / "tests/golden/oracle" /
         (std::string(name) + "-" + std::to_string(length) + ".bin");
}

// Rows behind the last chosen one are padding; the others ascend and are visible.
bool is_selection(std::span<const std::uint16_t> rows, std::size_t visible) {
  const auto end = std::find(rows.begin(), rows.end(), OracleVectors::kNoRow);
  const auto count = static_cast<std::size_t>(end - rows.begin());
  return count == std::min(rows.size(), visible) &&
         std::adjacent_find(rows.begin(), end, std::greater_equal<>()) == end &&
         (count == 0 || rows[count - 1] < visible);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(oracle_vectors)

BOOST_AUTO_TEST_CASE(every_file_agrees_with_its_model_and_with_itself) {
  for (const std::string_view name : ds4::golden::kOracleNames) {
    const auto spec = ds4::golden::oracle_model(name);
    BOOST_REQUIRE(spec.ok());
    for (const int length : ds4::golden::kOraclePrompts) {
      const auto vectors = OracleVectors::read(vector_path(name, length));
      BOOST_REQUIRE_MESSAGE(vectors.ok(), vectors.error().what);
      BOOST_TEST(vectors->rows() == static_cast<std::size_t>(length));
      BOOST_TEST(vectors->seed == spec->seed);
      BOOST_TEST(vectors->layers == spec->config.layers);
      BOOST_TEST(vectors->index_top_k == spec->config.index_top_k);
      for (std::size_t n = 0; n < vectors->positions.size(); ++n) {
        const auto row = vectors->logits_row(n);
        const auto best = std::max_element(row.begin(), row.end()) - row.begin();
        BOOST_TEST(vectors->top1[vectors->positions[n]] == static_cast<std::uint32_t>(best));
      }
      for (std::size_t s = 0; s < vectors->sparse_layers.size(); ++s) {
        for (std::size_t t = 0; t < vectors->rows(); ++t) {
          BOOST_REQUIRE(is_selection(vectors->index_rows_at(s, t), (t + 1) / 4));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_is_refused) {
  std::ifstream in(vector_path("oracle-a", 1), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  BOOST_REQUIRE(!whole.empty());
  const auto path = std::filesystem::temp_directory_path() /
                    ("ds4-oracle-cut-" + std::to_string(::getpid()) + ".bin");
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(size));
    BOOST_TEST(!OracleVectors::read(path).ok());
  }
  std::filesystem::remove(path);
}

BOOST_AUTO_TEST_SUITE_END()
