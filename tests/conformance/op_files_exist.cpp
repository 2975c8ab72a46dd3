#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "ops/op_table.hpp"

// Reads the op list of ops.h as text, so that an op that nobody wrote down elsewhere is found.

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kFirstFused = 64;

const fs::path kRoot = DS4_SOURCE_DIR;

std::map<std::string, std::uint32_t> declared_ops() {
  std::ifstream file(kRoot / "plugins/include/ds4/ops.h");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string source = text.str();
  const std::regex pattern("#define DS4_OP_([A-Z0-9_]+) ([0-9]+)u");
  std::map<std::string, std::uint32_t> ops;
  for (auto at = std::sregex_iterator(source.begin(), source.end(), pattern);
       at != std::sregex_iterator(); ++at) {
    std::string name = (*at)[1];
    for (char& letter : name) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    ops[name] = static_cast<std::uint32_t>(std::stoul((*at)[2]));
  }
  return ops;
}

void check_file(const fs::path& path) {
  BOOST_CHECK_MESSAGE(fs::is_regular_file(kRoot / path), "missing: " << path.string());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(op_files_exist)

BOOST_AUTO_TEST_CASE(op_table_has_exactly_the_ops_of_the_header) {
  const auto declared = declared_ops();
  BOOST_REQUIRE(!declared.empty());
  BOOST_TEST(declared.size() == ds4::op_table().size());
  for (const auto& [name, id] : declared) {
    const ds4::OpTraits* traits = ds4::find_op(id);
    BOOST_REQUIRE_MESSAGE(traits, "op_table.cpp lacks " << name);
    BOOST_TEST(traits->name == name);
    BOOST_TEST((traits->tier == ds4::OpTier::fused) == (id >= kFirstFused));
  }
}

BOOST_AUTO_TEST_CASE(each_op_has_a_reference_file) {
  for (const auto& [name, id] : declared_ops()) {
    check_file("backends/cpu-reference/ops/" + name + ".cpp");
  }
}

BOOST_AUTO_TEST_CASE(each_op_has_a_file_of_the_fast_cpu_backend) {
  for (const auto& [name, id] : declared_ops()) check_file("backends/cpu/ops/" + name + ".cpp");
}

BOOST_AUTO_TEST_CASE(each_fused_op_has_composition_cases_and_page) {
  for (const auto& [name, id] : declared_ops()) {
    if (id < kFirstFused) continue;
    check_file("core/plan/lowering/" + name + ".cpp");
    check_file("tests/conformance/" + name + ".cases.cpp");
    check_file("docs/ops/" + name + ".md");
  }
}

BOOST_AUTO_TEST_CASE(each_required_op_is_on_the_tier_1_page) {
  std::ifstream file(kRoot / "docs/ops/tier1.md");
  std::ostringstream text;
  text << file.rdbuf();
  for (const auto& [name, id] : declared_ops()) {
    if (id >= kFirstFused) continue;
    BOOST_CHECK_MESSAGE(text.str().find("`" + name + "`") != std::string::npos,
                        "docs/ops/tier1.md lacks " << name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
