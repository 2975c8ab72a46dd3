// ds4-make-model from the command line, and names of models that are made while they are loaded.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "format/gguf_reader.hpp"
#include "tests/integration/run/process.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

using Words = std::vector<std::string>;

struct Fixture {
  [[nodiscard]] Finished make(const Words& arguments) const {
    Words command = {DS4_MAKE_MODEL, path};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_process(command);
  }

  void check_usage(const Words& arguments, const std::string& expected) const {
    const Finished out = make(arguments);
    BOOST_TEST_CONTEXT(out.err) {
      BOOST_TEST(out.status == 2);
      BOOST_TEST(std::count(out.err.begin(), out.err.end(), '\n') == 1);
      BOOST_TEST(out.err.find(expected) != std::string::npos);
      BOOST_TEST(!std::filesystem::exists(path));
    }
  }

  TemporaryFolder folder;
  const std::string path = (folder.path() / "m.gguf").string();
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ds4_make_model, Fixture)

BOOST_AUTO_TEST_CASE(the_flash_shape_has_the_length_of_the_published_file) {
  const Finished sizes = make({"--shape", "flash", "--sparse", "--dry-run"});
  BOOST_TEST(sizes.status == 0, sizes.err);
  BOOST_TEST(contains(sizes.err, "1328 tensors, 86718242912 bytes (8804"), sizes.err);
  BOOST_TEST(!std::filesystem::exists(path));

  const Finished made = make({"--shape", "flash", "--sparse=all"});
  BOOST_TEST_REQUIRE(made.status == 0, made.err);
  struct stat info {};
  BOOST_TEST_REQUIRE(::stat(path.c_str(), &info) == 0);
  BOOST_TEST(info.st_size == 86'718'242'912);
  BOOST_TEST(std::int64_t{info.st_blocks} * 512 < 8'000'000);
}

BOOST_AUTO_TEST_CASE(a_slice_has_the_layers_that_were_chosen) {
  const Finished made = make({"--shape", "micro", "--ratios", "128,4", "--hash-layers", "0",
                              "--stored-experts", "2", "--threads", "3"});
  BOOST_TEST_REQUIRE(made.status == 0, made.err);
  const ModelFile model = must(ModelFile::open(path));
  BOOST_TEST(model.config().ratios == (std::vector<std::uint32_t>{128, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(model.config().hash_layers == 0U);
  BOOST_TEST(model.config().stored() == 2U);
  BOOST_TEST(model.config().experts == 8U);
}

BOOST_AUTO_TEST_CASE(usage_is_one_line_and_status_2) {
  check_usage({"--ratios", "0,3"}, "--ratios");
  check_usage({"--ratios", "0", "--layers", "2"}, "--layers");
  check_usage({"--sparse=some"}, "--sparse");
  check_usage({"--shape", "huge"}, "unknown shape 'huge'");
  check_usage({"--stored-experts", "9"}, "'ds4.stored_expert_count' is 9, accepted is 1..8");
  check_usage({"--hash-layers", "6"}, "'deepseek4.hash_layer_count' is 6, accepted is 0..5");
  check_usage({"--seed", "0"}, "--seed");
  check_usage({"--types", "experts=q9"}, "unknown element type 'q9'");
}

BOOST_AUTO_TEST_CASE(an_unknown_option_is_named_even_where_the_file_is_missing) {
  const Finished unknown = run_process({DS4_MAKE_MODEL, "--wrong"});
  BOOST_TEST(unknown.status == 2);
  BOOST_TEST(contains(unknown.err, "--wrong"), unknown.err);
  const Finished nothing = run_process({DS4_MAKE_MODEL});
  BOOST_TEST(nothing.status == 2);
  BOOST_TEST(nothing.err == "ds4-make-model: OUT is missing: name the GGUF file to write\n");
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_told_and_leaves_nothing) {
  const Finished out =
      run_process({DS4_MAKE_MODEL, (folder.path() / "no" / "m.gguf").string(), "--shape", "micro"});
  BOOST_TEST(out.status == 1);
  BOOST_TEST(contains(out.err, "m.gguf: cannot be written: No such file or directory"), out.err);
}

BOOST_AUTO_TEST_CASE(a_named_model_answers_and_a_wrong_name_is_usage) {
  const auto run = [this](const std::string& name) {
    return run_process(
        {DS4_RUN, "-m", name, "-p", "hi", "-n", "2", "--temp", "0", "--ctx", "256", "--backend",
         "cpu-reference"},
        "",
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.path().string()});
  };
  const Finished good = run("synthetic:micro,experts=1,seed=4");
  BOOST_TEST(good.status == 0, good.err);
  BOOST_TEST(contains(good.err, "2 generated"), good.err);
  const Finished bad = run("synthetic:micro,experts=9");
  BOOST_TEST(bad.status == 2);
  BOOST_TEST(bad.err ==
             "ds4-run: --model: model 'synthetic:micro,experts=9': experts=9: accepted is 1..8\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
