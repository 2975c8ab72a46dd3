#include "tests/golden/oracle_models.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "model/counter_rng.hpp"
#include "model/model_file.hpp"

namespace {

// Digests of the arrays that were given to `transformers`: "name fnv" per line.
std::map<std::string, std::uint64_t> read_digests(std::string_view name) {
  const auto folder = std::filesystem::path(DS4_SOURCE_DIR) / "tests/golden/oracle";
  std::ifstream lines(folder / (std::string(name) + ".digests.txt"));
  std::map<std::string, std::uint64_t> out;
  std::string tensor;
  std::uint64_t value = 0;
  while (lines >> tensor >> std::hex >> value) out[tensor] = value;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(oracle_models)

BOOST_AUTO_TEST_CASE(written_models_hold_the_very_weights_that_transformers_ran) {
  for (const std::string_view name : ds4::golden::kOracleNames) {
    const auto spec = ds4::golden::oracle_model(name);
    BOOST_REQUIRE(spec.ok());
    const auto path = std::filesystem::temp_directory_path() /
                      ("ds4-" + std::string(name) + "-" + std::to_string(::getpid()) + ".gguf");
    const auto written = ds4::write_synthetic_model(path, *spec);
    BOOST_REQUIRE_MESSAGE(written.ok(), written.error().what);
    const auto model = ds4::ModelFile::open(path);
    std::filesystem::remove(path);
    BOOST_REQUIRE_MESSAGE(model.ok(), model.error().what);
    const auto digests = read_digests(name);
    BOOST_TEST(model->gguf().tensors().size() == digests.size());
    for (const ds4::TensorInfo& tensor : model->gguf().tensors()) {
      const auto bytes = model->bytes(tensor);
      const auto expected = digests.find(std::string(tensor.name));
      BOOST_REQUIRE_MESSAGE(expected != digests.end(), tensor.name);
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      BOOST_TEST_CONTEXT(tensor.name) {
        BOOST_TEST(ds4::fnv1a64(text) == expected->second);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_refused) {
  BOOST_TEST(!ds4::golden::oracle_model("oracle-z").ok());
}

BOOST_AUTO_TEST_SUITE_END()
