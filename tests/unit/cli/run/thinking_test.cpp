#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "run/thinking.hpp"

namespace ds4::run {
namespace {

struct Split {
  std::string thinking;
  std::string text;
};

// Feeds `pieces` one after the other.
template <class Pieces>
Split split(const Pieces& pieces, bool starts_thinking) {
  Split out;
  ThinkingSplitter splitter(ThinkingSplitter::Scan::tags, starts_thinking,
                            [&](bool is_thinking, std::string_view bytes) {
                              (is_thinking ? out.thinking : out.text).append(bytes);
                            });
  for (const std::string_view piece : pieces) splitter.push(piece);
  splitter.finish();
  return out;
}

std::string print(bool shows, bool colors, std::string_view text) {
  std::string out;
  ThinkingPrinter printer(shows, colors, [&](std::string_view bytes) { out.append(bytes); });
  ThinkingSplitter splitter(
      ThinkingSplitter::Scan::tags, true,
      [&](bool thinks, std::string_view bytes) { printer.print(thinks, bytes); });
  for (const char& c : text) splitter.push({&c, 1});
  splitter.finish();
  printer.finish();
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(thinking)

BOOST_AUTO_TEST_CASE(tags_split_at_every_byte_are_found_and_dropped) {
  const std::string_view all = "plan<</thinkx</think>ans<think>more</think>wer<";
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t second = first; second <= all.size(); ++second) {
      const std::string_view pieces[] = {all.substr(0, first), all.substr(first, second - first),
                                         all.substr(second)};
      const Split out = split(pieces, true);
      BOOST_TEST(out.thinking == "plan<</thinkxmore");
      BOOST_TEST(out.text == "answer<");
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_cannot_begin_a_tag_are_given_out_at_once) {
  std::string out;
  ThinkingSplitter splitter(ThinkingSplitter::Scan::tags, false,
                            [&](bool, std::string_view bytes) { out.append(bytes); });
  splitter.push("a<b</thin");
  BOOST_TEST(out == "a<b");
  splitter.push("g");
  BOOST_TEST(out == "a<b</thing");
}

BOOST_AUTO_TEST_CASE(without_scanning_everything_is_text) {
  std::string out;
  ThinkingSplitter splitter(ThinkingSplitter::Scan::off, false,
                            [&](bool thinks, std::string_view bytes) {
                              BOOST_TEST(!thinks);
                              out.append(bytes);
                            });
  splitter.push("<think>x</thi");
  BOOST_TEST(out == "<think>x</thi");
}

BOOST_AUTO_TEST_CASE(thinking_is_grey_and_the_answer_starts_on_its_own_line) {
  BOOST_TEST(print(true, true, "hm</think>yes") == "\x1b[90mhm\x1b[0m\nyes\n");
  BOOST_TEST(print(true, true, "hm\n</think>yes\n") == "\x1b[90mhm\n\x1b[0myes\n");
  BOOST_TEST(print(true, false, "hm</think>\n\nyes") == "hm\n\nyes\n");
}

BOOST_AUTO_TEST_CASE(colour_is_reset_when_the_answer_stops_inside_thinking) {
  BOOST_TEST(print(true, true, "hm") == "\x1b[90mhm\x1b[0m\n");
}

BOOST_AUTO_TEST_CASE(hidden_thinking_leaves_only_the_answer) {
  BOOST_TEST(print(false, true, "hm</think>yes") == "yes\n");
  BOOST_TEST(print(false, true, "hm") == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::run
