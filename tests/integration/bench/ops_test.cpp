// ds4-bench ops from the command line, on the micro model.
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include "bench/csv.hpp"
#include "tests/integration/run/process.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

using Words = std::vector<std::string>;
using Cells = std::map<std::string, std::string>;

struct Fixture {
  /// `through`: a command that runs the program, its path and arguments behind.
  [[nodiscard]] Finished run(const Words& more, const std::string& model = "synthetic:micro",
                             Words through = {}) const {
    Words command = std::move(through);
    for (const char* word : {DS4_BENCH, "ops", "-m", model.c_str(), "--backend", "cpu-reference"}) {
      command.emplace_back(word);
    }
    for (const char* word : {"--contexts", "256", "--set-mib", "1", "--probe-mib", "16", "--min-ms",
                             "1", "--threads", "2"}) {
      command.emplace_back(word);
    }
    command.insert(command.end(), more.begin(), more.end());
    return run_process(
        command, "",
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.path().string()});
  }
  [[nodiscard]] static std::vector<Cells> rows_of(const std::string& text) {
    const auto lines = bench::csv_lines(text);
    std::vector<Cells> rows;
    const auto titles = bench::csv_cells(lines.at(0));
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto cells = bench::csv_cells(lines[i]);
      BOOST_TEST_REQUIRE(cells.size() == titles.size(), lines[i]);
      Cells& row = rows.emplace_back();
      for (std::size_t c = 0; c < cells.size(); ++c) row[std::string(titles[c])] = cells[c];
    }
    return rows;
  }
  [[nodiscard]] static const Cells& find(const std::vector<Cells>& rows,
                                         const std::string& kernel) {
    const auto at = std::find_if(rows.begin(), rows.end(), [&kernel](const Cells& row) {
      return row.at("kernel") == kernel;
    });
    BOOST_TEST_REQUIRE((at != rows.end()), kernel);
    return *at;
  }
  [[nodiscard]] std::string file(const char* name) const { return (folder.path() / name).string(); }
  [[nodiscard]] static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void check_one_line(const Words& arguments, int status, const std::string& expected) const {
    const Finished out = run(arguments);
    BOOST_TEST_CONTEXT(out.err) {
      BOOST_TEST(out.status == status);
      BOOST_TEST(out.err.find(expected) != std::string::npos, expected);
      BOOST_TEST(out.out.empty());
    }
  }
  TemporaryFolder folder;
};

double number(const Cells& row, const char* column) {
  return std::stod(row.at(column));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ds4_bench_ops, Fixture)

BOOST_AUTO_TEST_CASE(every_kernel_of_a_step_has_a_row) {
  const Finished out = run({"--rows", "1,5"});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  const std::vector<Cells> rows = rows_of(out.out);
  for (const char* kernel : {"format.q8_0",
                             "format.f16",
                             "format.q2_k",
                             "format.iq2_xxs",
                             "attn_q_a",
                             "attn_q_b",
                             "attn_kv",
                             "attn_output_a",
                             "attn_output_b",
                             "ffn_gate_inp",
                             "ffn_gate_exps",
                             "ffn_down_exps",
                             "ffn_gate_shexp",
                             "attn_compressor_kv",
                             "indexer.attn_q_b",
                             "hc_attn_fn",
                             "output",
                             "rms_norm",
                             "hc_pre",
                             "hc_post",
                             "q_project",
                             "kv_project",
                             "kv_commit",
                             "compress_project.r4",
                             "compress_emit.r4",
                             "compress_emit.r128",
                             "index_score",
                             "index_topk",
                             "attn_indexed.r4",
                             "attn_decode.r0",
                             "attn_decode.r128",
                             "attn_prefill_window.r0",
                             "attn_prefill_mixed.r128",
                             "attn_out",
                             "route",
                             "route.table",
                             "moe_routed",
                             "ffn_shared",
                             "head",
                             "sample_argmax",
                             "embed_streams"}) {
    const Cells& row = find(rows, kernel);
    BOOST_TEST_CONTEXT(kernel) {
      BOOST_TEST(row.at("note").find("not run") == std::string::npos, row.at("note"));
      BOOST_TEST(number(row, "us_median") > 0);
      BOOST_TEST(number(row, "us_cpu") > 0);
      BOOST_TEST(number(row, "bytes") > 0);
      BOOST_TEST(number(row, "samples") >= 5);
      BOOST_TEST(number(row, "gbps") * number(row, "us_median") * 1e3 == number(row, "bytes"),
                 boost::test_tools::tolerance(0.2));
    }
  }
  // Each row once, and the step of five rows has its own.
  for (const Cells& row : rows) {
    BOOST_TEST(std::count_if(rows.begin(), rows.end(), [&row](const Cells& other) {
                 return other.at("kernel") == row.at("kernel") &&
                        other.at("shape") == row.at("shape") &&
                        other.at("types") == row.at("types") &&
                        other.at("rows") == row.at("rows") &&
                        other.at("context") == row.at("context");
               }) == 1);
  }
  BOOST_TEST(std::count_if(rows.begin(), rows.end(), [](const Cells& row) {
               return row.at("kernel") == "moe_routed" && row.at("rows") == "5";
             }) >= 1);
}

BOOST_AUTO_TEST_CASE(bytes_are_those_of_the_shapes) {
  const Finished out = run({"--op", "attn_q_b|moe_routed|attn_decode.r128|output"});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  const std::vector<Cells> rows = rows_of(out.out);
  const ModelConfig config = must(SyntheticSpec::make("micro")).config;
  // micro is F32 or F16; what is written out here is counted again by hand.
  const Cells& q_b = find(rows, "attn_q_b");
  const double out_rows = config.heads * config.head_dim;
  const double each = q_b.at("types") == "f16" ? 2 : q_b.at("types") == "f32" ? 4 : 34.0 / 32;
  BOOST_TEST(number(q_b, "bytes") ==
             out_rows * config.q_rank * each + 4 * (out_rows + config.q_rank));
  BOOST_TEST(q_b.at("shape") ==
             std::to_string(config.heads * config.head_dim) + "x" + std::to_string(config.q_rank));
  const Cells& attention = find(rows, "attn_decode.r128");
  BOOST_TEST(attention.at("context") == "256");
  BOOST_TEST(attention.at("shape").ends_with(std::to_string(config.window) + "+2"),
             attention.at("shape"));
  BOOST_TEST(find(rows, "output").at("context") == "0");
  BOOST_TEST(rows.size() == 4U);
}

BOOST_AUTO_TEST_CASE(files_hold_rows_and_facts_and_people_get_a_table) {
  const Finished out =
      run({"--op", "attn_q_a|hc_post", "--csv", file("k.csv"), "--json", file("k.json")});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(out.out.starts_with("kernel "), out.out);
  const std::vector<Cells> rows = rows_of(read(file("k.csv")));
  BOOST_TEST(rows.size() == 2U);
  const auto facts = boost::json::parse(read(file("k.csv.meta.json"))).as_object();
  BOOST_TEST(facts.at("model").as_string() == "synthetic:micro");
  BOOST_TEST(facts.at("arguments").as_array().at(0).as_string() == "ops");
  const auto all = boost::json::parse(read(file("k.json"))).as_object();
  BOOST_TEST(all.at("rows").as_array().size() == 2U);
}

BOOST_AUTO_TEST_CASE(small_weights_are_copied_until_the_set_is_as_large_as_wanted) {
  const auto set = [this](const char* mib) {
    const Finished out = run({"--op", "format.q8_0", "--set-mib", mib});
    BOOST_TEST_REQUIRE(out.status == 0, out.err);
    return number(rows_of(out.out).at(0), "set_mib");
  };
  BOOST_TEST(set("8") >= 8);
  BOOST_TEST(set("32") >= 32);
}

BOOST_AUTO_TEST_CASE(without_a_probe_there_are_no_ratios) {
  const Finished out = run({"--op", "attn_q_a", "--probe-mib", "0"});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(number(rows_of(out.out).at(0), "ratio_to_probe") == 0.0);
  BOOST_TEST(number(rows_of(out.out).at(0), "ratio_cpu") == 0.0);
}

BOOST_AUTO_TEST_CASE(a_kernel_without_memory_says_so_and_the_others_run) {
  if (kIsSanitized) {
    BOOST_TEST_MESSAGE("skipped: a sanitizer takes address space without bounds");
    return;
  }
  // The head of Flash alone takes 562 MB.
  const Finished out = run({"--op", "output|attn_kv"}, "synthetic:flash,experts=6",
                           {"/bin/sh", "-c", "ulimit -v 409600; exec \"$0\" \"$@\""});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  const std::vector<Cells> rows = rows_of(out.out);
  BOOST_TEST(number(find(rows, "attn_kv"), "us_median") > 0.0);
  const Cells& head = find(rows, "output");
  BOOST_TEST(number(head, "us_median") == 0.0);
  BOOST_TEST(number(head, "samples") == 0.0);
  BOOST_TEST(head.at("note").find("not run: ") == 0U, head.at("note"));
  BOOST_TEST(head.at("note").find("no memory for 562626560 bytes") != std::string::npos,
             head.at("note"));
}

BOOST_AUTO_TEST_CASE(what_can_not_be_timed_is_one_line) {
  check_one_line({"--rows", "0"}, 2, "--rows");
  check_one_line({"--rows", "300"}, 2, "do not fit into --contexts 256");
  check_one_line({"--op", "("}, 2, "is no regular expression");
  check_one_line({"--csv", "/no/folder/k.csv"}, 1, "/no/folder/k.csv");
  check_one_line({"--gate", "x"}, 2, "unknown option --gate");
  const Finished none = run({"--op", "no_such_kernel"});
  BOOST_TEST(none.status == 1);
  BOOST_TEST(none.err.find("--op no_such_kernel: no kernel has such a name") != std::string::npos,
             none.err);
  const Finished help = run_process({DS4_BENCH, "ops", "--help"}, "", {});
  BOOST_TEST(help.status == 0);
  BOOST_TEST(help.out.find("--contexts LIST") != std::string::npos, help.out);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
