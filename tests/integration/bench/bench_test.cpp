// ds4-bench from the command line.
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "bench/logits.hpp"
#include "bench/rows.hpp"
#include "tests/integration/run/process.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

using bench::BenchRow;
using Words = std::vector<std::string>;

struct Fixture {
  /// `through`: a command that runs the program, its path and arguments behind.
  [[nodiscard]] Finished run(const Words& arguments, Words through = {}) const {
    Words command = std::move(through);
    command.emplace_back(DS4_BENCH);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_process(
        command, "",
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.path().string()});
  }
  // A short sweep of the micro model.
  [[nodiscard]] Words sweep(const Words& more) const {
    Words words = {"-m",          "synthetic:micro",
                   "--backend",   "cpu-reference",
                   "--ctx-start", "40",
                   "--ctx-max",   "100",
                   "--step-incr", "40",
                   "-n",          "4",
                   "--probe-mib", "16"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] std::string file(const char* name) const { return (folder.path() / name).string(); }
  [[nodiscard]] static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const char* name, const std::vector<BenchRow>& rows) const {
    std::ofstream out(file(name));
    out << bench::csv_header();
    for (const BenchRow& row : rows) out << bench::csv_line(row);
  }
  void check_one_line(const Words& arguments, int status, const std::string& expected) const {
    const Finished out = run(arguments);
    BOOST_TEST_CONTEXT(out.err) {
      BOOST_TEST(out.status == status);
      BOOST_TEST(std::count(out.err.begin(), out.err.end(), '\n') == 1);
      BOOST_TEST(out.err.find(expected) != std::string::npos, expected);
      BOOST_TEST(out.out.empty());
    }
  }

  TemporaryFolder folder;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ds4_bench, Fixture)

BOOST_AUTO_TEST_CASE(a_file_that_may_not_grow_ends_the_sweep_in_one_line) {
  // Blocks of 512 or 1024 bytes, by shell: the logits take more, the rows do not.
  const Finished out = run(sweep({"--logits", file("logits.csv")}),
                           {"/bin/sh", "-c", "ulimit -f 4; exec \"$0\" \"$@\""});
  BOOST_TEST_CONTEXT(out.err) {
    BOOST_TEST(out.status == 1);
    BOOST_TEST(out.err.find("logits.csv: cannot be written: File too large") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_prints_a_row_for_each_frontier) {
  const Finished out = run(sweep({"--repeat", "2", "--warmup"}));
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  const auto rows = must(bench::parse_csv(out.out, "stdout"));
  BOOST_TEST_REQUIRE(rows.size() == 6U);
  const std::uint32_t contexts[] = {40, 80, 100, 40, 80, 100};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST_CONTEXT("row " << i) {
      BOOST_TEST(rows[i].run == 1 + i / 3);
      BOOST_TEST(rows[i].ctx_tokens == contexts[i]);
      BOOST_TEST(rows[i].prefill_tokens == contexts[i] - (i % 3 == 0 ? 0 : contexts[i - 1]));
      BOOST_TEST(rows[i].prefill_tps > 0);
      BOOST_TEST(rows[i].gen_tokens == 4U);
      BOOST_TEST(rows[i].gen_steady_tokens == 3U);
      BOOST_TEST(rows[i].gen_p50_ms <= rows[i].gen_p99_ms);
      BOOST_TEST(rows[i].ratio * rows[i].roofline_tps == rows[i].gen_steady_tps,
                 boost::test_tools::tolerance(0.01));
      BOOST_TEST(rows[i].roofline_tps * static_cast<double>(rows[i].token_bytes) ==
                     rows[i].probe_gbps * 1e9,
                 boost::test_tools::tolerance(0.01));
      // Of equal contexts the states are equally large, in the last row too.
      BOOST_TEST(rows[i].kvcache_bytes == rows[i % 3].kvcache_bytes);
      BOOST_TEST(rows[i].kvcache_bytes > 0U);
      BOOST_TEST(rows[i].backend == "cpu-reference");
    }
  }
}

BOOST_AUTO_TEST_CASE(files_hold_the_rows_and_the_facts_of_the_run) {
  const Finished out =
      run(sweep({"--csv", file("a.csv"), "--json", file("a.json"), "--svg", file("a.svg")}));
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(out.out.empty());
  BOOST_TEST(must(bench::parse_csv(read(file("a.csv")), "a.csv")).size() == 3U);
  const auto facts = boost::json::parse(read(file("a.csv.meta.json"))).as_object();
  BOOST_TEST(facts.at("model").as_string() == "synthetic:micro");
  BOOST_TEST(facts.at("weights").as_string() == "synthetic");
  BOOST_TEST(facts.at("probe_gbps").to_number<double>() > 0);
  const auto all = boost::json::parse(read(file("a.json"))).as_object();
  BOOST_TEST(all.at("rows").as_array().size() == 3U);
  BOOST_TEST(all.at("medians").as_array().size() == 3U);
  BOOST_TEST(read(file("a.svg")).starts_with("<svg"));
}

BOOST_AUTO_TEST_CASE(no_decoding_and_no_probe_leave_their_columns_empty) {
  const Finished out = run(sweep({"-n", "0", "--probe-mib", "0"}));
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  for (const BenchRow& row : must(bench::parse_csv(out.out, "stdout"))) {
    BOOST_TEST(row.gen_tokens == 0U);
    BOOST_TEST(row.gen_tps == 0.0);
    BOOST_TEST(row.ratio == 0.0);
    BOOST_TEST(row.prefill_tps > 0);
  }
}

BOOST_AUTO_TEST_CASE(two_backends_take_turns_and_two_files_are_divided) {
  const Finished out =
      run(sweep({"--compare", "cpu-reference,cpu-reference", "--csv", file("all.csv")}));
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(out.out.find("B/A") != std::string::npos, out.out);
  BOOST_TEST(must(bench::parse_csv(read(file("all.csv")), "all.csv")).size() == 12U);

  const Finished bare = run(sweep({"--compare", "cpu-reference,cpu-reference", "--warmup"}));
  BOOST_TEST(bare.status == 0, bare.err);
  BOOST_TEST(!std::filesystem::exists("/dev/null.meta.json"));

  BenchRow row;
  row.ctx_tokens = 64;
  row.prefill_tps = 8;
  row.gen_tps = 2;
  write("a.csv", {row});
  row.prefill_tps = 12;
  row.gen_tps = 5;
  write("b.csv", {row});
  const Finished files = run({"--compare", file("a.csv") + "," + file("b.csv")});
  BOOST_TEST_REQUIRE(files.status == 0, files.err);
  BOOST_TEST(files.out.find("1.500") != std::string::npos, files.out);
  BOOST_TEST(files.out.find("2.500") != std::string::npos, files.out);
}

BOOST_AUTO_TEST_CASE(logits_of_the_frontiers_are_written_and_compared) {
  const Finished first = run(sweep({"--logits", file("a.csv"), "--csv", file("rows.csv")}));
  BOOST_TEST_REQUIRE(first.status == 0, first.err);
  const auto rows = must(bench::parse_logits(read(file("a.csv")), "a.csv"));
  BOOST_TEST_REQUIRE(rows.size() == 3U);
  const std::uint32_t contexts[] = {40, 80, 100};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST(rows[i].ctx_tokens == contexts[i]);
    BOOST_TEST(rows[i].backend == "cpu-reference");
  }
  BOOST_TEST(!bench::check_restored(rows[0].values, rows[1].values).ok());

  // What is decoded in between leaves no trace.
  const Finished second = run(sweep({"--logits", file("b.csv"), "-n", "0"}));
  BOOST_TEST_REQUIRE(second.status == 0, second.err);
  const Finished equal = run({"--compare-logits", file("a.csv") + "," + file("b.csv")});
  BOOST_TEST_REQUIRE(equal.status == 0, equal.err);
  BOOST_TEST(std::count(equal.out.begin(), equal.out.end(), '\n') == 6);
  BOOST_TEST(equal.out.find(" no ") == std::string::npos, equal.out);

  const Finished pair = run(sweep({"--compare", "cpu-reference,cpu-reference", "--logits",
                                   file("pair.csv"), "--ctx-max", "80"}));
  BOOST_TEST_REQUIRE(pair.status == 0, pair.err);
  BOOST_TEST(must(bench::parse_logits(read(file("pair.csv")), "pair.csv")).size() == 8U);
  BOOST_TEST(pair.out.find("bits equal") != std::string::npos, pair.out);
}

BOOST_AUTO_TEST_CASE(the_gate_opens_for_what_is_as_fast_and_stays_shut_for_what_is_not) {
  BenchRow row;
  row.ctx_tokens = 40;
  row.ratio = 0.0001;
  row.prefill_ratio = 0.0001;
  write("slow.csv", {row});
  const Finished open = run(sweep({"--gate", file("slow.csv")}));
  BOOST_TEST(open.status == 0, open.err);
  BOOST_TEST(must(bench::parse_csv(open.out, "stdout")).size() == 3U);  // one sweep is enough

  row.ratio = 1e9;
  row.prefill_ratio = 0;
  write("fast.csv", {row});
  // 1e9 of four decimals is still a number.
  const Finished shut = run(sweep({"--gate", file("fast.csv")}));
  BOOST_TEST(shut.status == 1, shut.err);
  BOOST_TEST(shut.err.find("in 3 sweeps slower than") != std::string::npos, shut.err);
  BOOST_TEST(must(bench::parse_csv(shut.out, "stdout")).size() == 9U);
}

BOOST_AUTO_TEST_CASE(a_chart_is_drawn_of_a_file) {
  BenchRow row;
  row.ctx_tokens = 64;
  row.prefill_tps = 8;
  row.gen_tps = 2;
  BenchRow other = row;
  other.ctx_tokens = 128;
  write("c.csv", {row, other});
  const Finished out = run({"--chart", file("c.csv")});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(read(file("c_ts.svg")).starts_with("<svg"));
}

BOOST_AUTO_TEST_CASE(what_can_not_be_done_is_one_line) {
  const Finished unknown = run({"--no-such-option"});
  BOOST_TEST(unknown.status == 2);
  BOOST_TEST(
      unknown.err.starts_with("ds4-bench: unknown option --no-such-option\nusage: ds4-bench "));
  check_one_line({"--ctx-start", "9", "--ctx-max", "8"}, 2, "--ctx-start");
  check_one_line({"--compare", "/no/a.csv,/no/b.csv", "-m", "/no/model.gguf"}, 1,
                 "/no/a.csv: there is no such file");
  check_one_line({"--compare", "a,b", "--place", "0-3=cpu-reference"}, 2, "--place");
  check_one_line({"--chart", "/no/a.csv"}, 1, "/no/a.csv");
  check_one_line(sweep({"--csv", "/no/folder/a.csv"}), 1, "/no/folder/a.csv");
  check_one_line(sweep({"--json", "/no/folder/a.json"}), 1, "/no/folder/a.json");
  check_one_line(sweep({"--system", "Be brief."}), 2, "--system has no effect without");
  check_one_line(sweep({"--shadow", "cpu-reference"}), 2, "ds4-run --shadow");
  check_one_line(sweep({"--logits", "/no/folder/l.csv"}), 1, "/no/folder/l.csv");
  check_one_line({"--compare-logits", "/no/a.csv,/no/b.csv"}, 1, "/no/a.csv");
  std::ofstream(file("none.csv")) << "x\n";
  check_one_line({"--compare-logits", file("none.csv") + "," + file("none.csv")}, 1, "line 1");
  std::ofstream(file("short.txt")) << "a few words";
  const Finished few = run(sweep({"--prompt-file", file("short.txt")}));
  BOOST_TEST(few.status == 1);
  BOOST_TEST(few.err.find("--ctx-max asks for 100") != std::string::npos, few.err);
}

BOOST_AUTO_TEST_CASE(old_results_stay_until_there_are_new_ones) {
  std::ofstream(file("old.csv")) << "old";
  const Finished out =
      run({"-m", file("no.gguf"), "--backend", "cpu-reference", "--csv", file("old.csv")});
  BOOST_TEST(out.status == 1);
  BOOST_TEST(read(file("old.csv")) == "old");
}

BOOST_AUTO_TEST_CASE(a_text_is_evaluated_plainly_or_as_a_message) {
  std::ofstream text(file("text.txt"));
  for (int i = 0; i < 200; ++i) text << "word " << i << ' ';
  text.close();
  for (const char* option : {"--prompt-file", "--chat-prompt-file"}) {
    const Finished out = run(sweep({option, file("text.txt"), "--show-output"}));
    BOOST_TEST(out.status == 0, out.err);
    BOOST_TEST(must(bench::parse_csv(out.out, "stdout")).size() == 3U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
