#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "tests/layering/rules.hpp"
#include "tests/layering/source_tree.hpp"

namespace ds4::layering {
namespace {

const std::vector<SourceFile>& tree() {
  static const std::vector<SourceFile> files = read_tree(DS4_SOURCE_DIR);
  return files;
}

/// Fails with every finding, so that one run shows all of them.
void require_none(const Findings& findings) {
  for (const std::string& finding : findings) BOOST_ERROR(finding);
  BOOST_TEST(findings.empty());
}

SourceFile file_with(std::string path, std::string target) {
  SourceFile file;
  file.path = std::move(path);
  file.includes.push_back({target, 1, true, target});
  return file;
}

SourceFile file_of(std::string path, const std::string& text) {
  SourceFile file;
  file.path = std::move(path);
  file.code = without_comments_and_literals(text);
  return file;
}

bool is_forbidden(const std::string& from, const std::string& to) {
  return !forbidden_arrows({file_with(from, to)}).empty();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_tree)

BOOST_AUTO_TEST_CASE(is_found) {
  // Guards the tests below against looking at nothing.
  BOOST_TEST(tree().size() > 100);
  std::size_t arrows = 0;
  for (const SourceFile& file : tree()) {
    for (const Include& include : file.includes) arrows += include.resolved.empty() ? 0 : 1;
  }
  BOOST_TEST(arrows > 300);
}

BOOST_AUTO_TEST_CASE(includes_only_downwards) {
  require_none(forbidden_arrows(tree()));
}
BOOST_AUTO_TEST_CASE(has_no_circular_includes) {
  require_none(circular_includes(tree()));
}
BOOST_AUTO_TEST_CASE(includes_the_own_header_first) {
  require_none(own_header_not_first(tree()));
}
BOOST_AUTO_TEST_CASE(neither_prints_nor_exits_in_libraries) {
  require_none(forbidden_calls(tree()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(the_rules)

BOOST_AUTO_TEST_CASE(refuse_an_arrow_upwards) {
  BOOST_TEST(is_forbidden("core/base/x.hpp", "core/format/gguf_reader.hpp"));
  BOOST_TEST(is_forbidden("core/plan/plan.cpp", "core/engine/engine.hpp"));
  BOOST_TEST(is_forbidden("core/engine/engine.cpp", "cli/run/chat.hpp"));
  BOOST_TEST(is_forbidden("plugins/wrap/device.cpp", "plugins/registry/registry.hpp"));
}

BOOST_AUTO_TEST_CASE(refuse_an_arrow_sideways) {
  BOOST_TEST(is_forbidden("cli/run/main.cpp", "cli/quantize/recipe.hpp"));
  BOOST_TEST(is_forbidden("core/tokenizer/bpe.cpp", "core/format/half.hpp"));
  BOOST_TEST(is_forbidden("core/model/config.cpp", "plugins/wrap/device.hpp"));
  BOOST_TEST(is_forbidden("core/engine/engine.cpp", "plugins/registry/registry.hpp"));
}

BOOST_AUTO_TEST_CASE(keep_backends_apart_from_core_and_from_each_other) {
  BOOST_TEST(is_forbidden("backends/cpu-reference/ops/add.cpp", "core/format/half.hpp"));
  BOOST_TEST(is_forbidden("backends/cpu-reference/ops/add.cpp", "backends/metal-stub/plugin.hpp"));
  BOOST_TEST(is_forbidden("core/engine/engine.cpp", "backends/cpu-common/api.hpp"));
  BOOST_TEST(!is_forbidden("backends/cpu-reference/ops/add.cpp", "plugins/include/ds4/ops.h"));
  BOOST_TEST(!is_forbidden("backends/cpu-reference/ops/add.cpp", "backends/cpu-reference/dot.hpp"));
}

BOOST_AUTO_TEST_CASE(let_cpu_backends_share_their_plumbing_and_no_kernel) {
  BOOST_TEST(!is_forbidden("backends/cpu/ops/add.cpp", "backends/cpu-common/context.hpp"));
  BOOST_TEST(!is_forbidden("backends/cpu-reference/ops/add.cpp", "backends/cpu-common/check.hpp"));
  BOOST_TEST(is_forbidden("backends/cpu/ops/add.cpp", "backends/cpu-reference/dot.hpp"));
  BOOST_TEST(is_forbidden("backends/cpu-reference/ops/add.cpp", "backends/cpu/isa/vector.hpp"));
  BOOST_TEST(is_forbidden("backends/cpu-common/check.cpp", "backends/cpu/isa/vector.hpp"));
  BOOST_TEST(is_forbidden("backends/metal-stub/plugin.cpp", "backends/cpu-common/check.hpp"));
}

BOOST_AUTO_TEST_CASE(allow_the_arrows_of_the_architecture) {
  BOOST_TEST(!is_forbidden("core/engine/engine.cpp", "core/base/result.hpp"));
  BOOST_TEST(!is_forbidden("core/kv/page_pool.cpp", "plugins/wrap/device.hpp"));
  BOOST_TEST(!is_forbidden("cli/run/main.cpp", "plugins/registry/registry.hpp"));
}

BOOST_AUTO_TEST_CASE(find_a_cycle_of_three_files) {
  const Findings findings = circular_includes(
      {file_with("a.hpp", "b.hpp"), file_with("b.hpp", "c.hpp"), file_with("c.hpp", "a.hpp")});
  BOOST_REQUIRE(findings.size() == 1);
  BOOST_TEST(findings.front() == "a.hpp -> b.hpp -> c.hpp -> a.hpp");
}

BOOST_AUTO_TEST_CASE(find_calls_in_code_only) {
  const auto count = [](const std::string& text) {
    return forbidden_calls({file_of("core/plan/x.cpp", text)}).size();
  };
  BOOST_TEST(count("f(std::getenv(name));") == 1);
  BOOST_TEST(count("std::cerr << 1;") == 1);
  BOOST_TEST(count("  std::abort();") == 1);
  BOOST_TEST(count("  exit(1);") == 1);
  BOOST_TEST(count("// printf(x)\n/* abort(); */ f(\"exit(1)\");") == 0);
  BOOST_TEST(count("std::snprintf(b, n, f); import.abort(); weight_import_abort(i);") == 0);
}

BOOST_AUTO_TEST_CASE(keep_lines_when_comments_go) {
  BOOST_TEST(without_comments_and_literals("a /* x\ny */ b // c\n\"d\" 1'000 'e'") ==
             "a \n b \n  1'000  ");
  BOOST_TEST(without_comments_and_literals("R\"x(\" // )x\" + f") == " + f");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::layering
