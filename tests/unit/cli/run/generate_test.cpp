#include <boost/test/unit_test.hpp>

#include <vector>

#include "run/conversation.hpp"
#include "run/generate.hpp"
#include "tests/unit/cli/run/fake_model.hpp"
#include "tokenizer/chat.hpp"

namespace ds4::run {
namespace {

using test::FakeModel;
constexpr std::uint32_t kVocab = 512;
constexpr std::int32_t kEnd = 1;

struct Fixture {
  Fixture() : sampling(*RequestSampling::make(greedy(), kVocab)), sampler(kVocab) {
    request.prompt = prompt;
    request.max_tokens = 100;
    request.end_token = kEnd;
    request.sampling = &sampling;
    request.sampler = &sampler;
  }
  static SamplingParams greedy() {
    SamplingParams params;
    params.temperature = 0;
    return params;
  }
  std::vector<std::int32_t> prompt = {3, 4, 5};
  RequestSampling sampling;
  Sampler sampler;
  GenerationRequest request;
};

FakeModel talker(std::uint32_t context, std::size_t ends_at) {
  return {context, kVocab,
          [=](std::size_t position) { return test::peak(kVocab, position < ends_at ? 9 : kEnd); }};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(generation, Fixture)

BOOST_AUTO_TEST_CASE(the_end_token_ends_an_answer_and_is_not_part_of_it) {
  FakeModel model = talker(100, 5);
  const auto out = generate(model, request);
  BOOST_REQUIRE(out);
  BOOST_TEST(out->tokens == std::vector<std::int32_t>({9, 9}));
  BOOST_TEST(finish_name(out->finish) == "stop");
}

BOOST_AUTO_TEST_CASE(an_answer_stops_at_its_length_without_a_needless_step) {
  FakeModel model = talker(100, 90);
  request.max_tokens = 4;
  const auto out = generate(model, request);
  BOOST_TEST(out->tokens.size() == 4U);
  BOOST_TEST(finish_name(out->finish) == "length");
  BOOST_TEST(model.seen.size() == 3U + 3U);
}

BOOST_AUTO_TEST_CASE(one_slot_of_the_context_stays_free) {
  FakeModel model = talker(10, 90);
  const auto out = generate(model, request);
  BOOST_TEST(out->tokens.size() == 10U - 3U - 1U);
  BOOST_TEST(finish_name(out->finish) == "context");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_fills_the_context_is_an_error) {
  FakeModel model = talker(3, 90);
  BOOST_TEST(!generate(model, request));
}

BOOST_AUTO_TEST_CASE(an_interrupted_prefill_is_an_answer_without_tokens) {
  FakeModel model = talker(100, 90);
  request.cancelled = [] { return true; };
  const auto out = generate(model, request);
  BOOST_REQUIRE(out);
  BOOST_TEST(out->tokens.empty());
  BOOST_TEST(finish_name(out->finish) == "interrupted");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(conversations)

BOOST_AUTO_TEST_CASE(a_first_prompt_is_what_the_chat_renderer_makes) {
  const Tokenizer tokenizer = test::small_tokenizer();
  const auto effort = resolve_effort(v4_profile(), "max", 0);
  const auto conversation = Conversation::make(tokenizer, v4_profile(), "Be brief.");
  ChatOptions options;
  options.effort = *effort;
  const std::vector<Message> messages = {text_message(Role::system, "Be brief."),
                                         text_message(Role::user, "Hi <think> there")};
  const auto rendered = render_chat(v4_profile(), messages, options);
  BOOST_REQUIRE(rendered);
  BOOST_TEST(*conversation->prompt("Hi <think> there", **effort) ==
             *tokenizer.encode_segments(rendered->segments));
}

BOOST_AUTO_TEST_CASE(a_turn_keeps_the_sampled_tokens_and_can_be_undone) {
  const Tokenizer tokenizer = test::small_tokenizer();
  const auto effort = resolve_effort(v4_profile(), "none", 0);
  auto conversation = Conversation::make(tokenizer, v4_profile(), "");
  const std::vector<std::int32_t> before = *conversation->prompt("next", **effort);
  BOOST_REQUIRE(conversation->append("one", **effort, {40, 41}));
  const std::vector<std::int32_t>& turn = conversation->turns().back().tokens;
  BOOST_TEST(turn.back() == tokenizer.vocabulary().special().eos);
  BOOST_TEST(turn[turn.size() - 2] == 41);
  BOOST_TEST(conversation->undo());
  BOOST_TEST(!conversation->undo());
  BOOST_TEST(*conversation->prompt("next", **effort) == before);
}

BOOST_AUTO_TEST_CASE(a_saved_transcript_comes_back_whatever_its_bytes) {
  const Tokenizer tokenizer = test::small_tokenizer();
  auto conversation = Conversation::make(tokenizer, v4_profile(), "sys\nuser 3");
  const std::string bytes("a\0\xFF\nuser 5\n", 11);
  BOOST_REQUIRE(conversation->append_text(bytes, true, "why</think>because"));
  BOOST_REQUIRE(conversation->append_text("q", false, ""));
  auto loaded = Conversation::make(tokenizer, v4_profile(), "");
  BOOST_REQUIRE(load_transcript(transcript_text(*conversation), *loaded));
  BOOST_TEST(loaded->system() == "sys\nuser 3");
  BOOST_REQUIRE(loaded->turns().size() == 2U);
  BOOST_TEST(loaded->turns()[0].user == bytes);
  BOOST_TEST(loaded->turns()[0].tokens == conversation->turns()[0].tokens);
  BOOST_TEST(loaded->turns()[1].tokens == conversation->turns()[1].tokens);
}

BOOST_AUTO_TEST_CASE(a_broken_transcript_changes_nothing) {
  const Tokenizer tokenizer = test::small_tokenizer();
  auto conversation = Conversation::make(tokenizer, v4_profile(), "keep");
  for (const char* text :
       {"", "hello\n", "ds4-transcript 1\nuser 3\nabc\n", "ds4-transcript 1\nuser 99\nabc\n",
        "ds4-transcript 1\nuser\n", "ds4-transcript 1\nanswer 1\na\nuser 1\nb\n"}) {
    BOOST_TEST(!load_transcript(text, *conversation), text);
  }
  BOOST_TEST(conversation->system() == "keep");
  BOOST_TEST(conversation->turns().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::run
