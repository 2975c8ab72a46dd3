#include "inspect/options.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::inspect {
namespace {

struct Parsed {
  InspectOptions options;
  Result<void> result;
};

/// What the program makes of a command line.
Parsed parse(const std::vector<std::string>& arguments, const cli::Environment& environment = {}) {
  Parsed out{{}, {}};
  std::vector<std::string> words;
  const cli::OptionTable table = make_option_table(out.options, words);
  out.result = table.parse(arguments);
  if (out.result) out.result = take_words(out.options, words, environment);
  return out;
}

bool refuses(const std::vector<std::string>& arguments, const std::string& part) {
  const Parsed parsed = parse(arguments);
  return !parsed.result && parsed.result.error().what.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(inspect_options)

BOOST_AUTO_TEST_CASE(a_file_alone_is_dumped) {
  const Parsed parsed = parse({"a.gguf"});
  BOOST_TEST_REQUIRE(parsed.result.ok());
  BOOST_TEST((parsed.options.command == Command::dump));
  BOOST_TEST(parsed.options.files == std::vector<std::string>{"a.gguf"});
}

BOOST_AUTO_TEST_CASE(the_model_comes_from_option_or_environment) {
  BOOST_TEST(parse({"check", "-m", "b.gguf"}).options.files.front() == "b.gguf");
  cli::Environment environment;
  environment.model = "c.gguf";
  BOOST_TEST(parse({"plan"}, environment).options.files.front() == "c.gguf");
  BOOST_TEST(parse({"plan"}).options.files.front() == "ds4flash.gguf");
}

BOOST_AUTO_TEST_CASE(the_shared_plan_option_is_the_command) {
  const Parsed parsed = parse({"--plan", "a.gguf", "--ctx", "100"});
  BOOST_TEST_REQUIRE(parsed.result.ok());
  BOOST_TEST((parsed.options.command == Command::plan));
  BOOST_TEST(parsed.options.runtime.context == 100U);
  BOOST_TEST(refuses({"check", "a.gguf", "--plan"}, "--plan cannot be used together with check"));
}

BOOST_AUTO_TEST_CASE(tokens_take_a_text_behind_the_file) {
  BOOST_TEST(*parse({"tokens", "a.gguf", "some text"}).options.text == "some text");
  BOOST_TEST(*parse({"tokens", "-m", "a.gguf", "some text"}).options.text == "some text");
  BOOST_TEST(!parse({"tokens", "a.gguf"}).options.text.has_value());
}

BOOST_AUTO_TEST_CASE(a_diff_needs_two_files) {
  BOOST_TEST(refuses({"diff", "a.gguf"}, "two files"));
  BOOST_TEST(parse({"diff", "a.gguf", "b.gguf"}).options.files.size() == 2U);
}

BOOST_AUTO_TEST_CASE(contradictions_are_one_line) {
  BOOST_TEST(refuses({"a.gguf", "b.gguf"}, "there is no command a.gguf"));
  BOOST_TEST(refuses({"a.gguf", "--metadata", "--tensors"}, "cannot be used together"));
  BOOST_TEST(refuses({"a.gguf", "--values"}, "--values is for the command check"));
  BOOST_TEST(refuses({"check", "a.gguf", "--filter", "x"}, "--filter is for the command dump"));
  BOOST_TEST(refuses({"a.gguf", "--nonsense"}, "unknown option --nonsense"));
  BOOST_TEST(refuses({"plan", "a.gguf", "--sessions", "0"}, "--sessions"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::inspect
