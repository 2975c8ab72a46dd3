#include <array>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "model/synthetic_parts.hpp"

namespace ds4::synthetic {
namespace {

constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;

constexpr std::array<std::string_view, 3> kFirst = {"<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>",
                                                    "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
                                                    "<\uFF5C\u2581pad\u2581\uFF5C>"};
constexpr std::array<std::string_view, 12> kLast = {"<\uFF5CUser\uFF5C>",
                                                    "<\uFF5CAssistant\uFF5C>",
                                                    "<think>",
                                                    "</think>",
                                                    "\uFF5CDSML\uFF5C",
                                                    "<\uFF5Clatest_reminder\uFF5C>",
                                                    "<\uFF5Caction\uFF5C>",
                                                    "<\uFF5Cquery\uFF5C>",
                                                    "<\uFF5Cauthority\uFF5C>",
                                                    "<\uFF5Cdomain\uFF5C>",
                                                    "<\uFF5Ctitle\uFF5C>",
                                                    "<\uFF5Cread_url\uFF5C>"};

// Where the released models have the tokens of kLast; the ids of the last seven are not known and
// follow the others.
constexpr std::array<std::size_t, kLast.size()> kReleasedIds = {
    128803, 128804, 128821, 128822, 128825, 128826, 128827, 128828, 128829, 128830, 128831, 128832};

// What the merges are learned from: letters and single spaces, so that no merge crosses a piece of
// the pre-tokenizer.
constexpr std::string_view kText =
    "the model reads the tokens of a prompt and then it writes one token after another until the "
    "end of the answer is reached the words that people use most often become single tokens while "
    "rare words are made of several shorter pieces a small set of merges is learned from the text "
    "by counting which two symbols stand next to each other most of the time and joining them into "
    "a new symbol this is done again and again until there are enough symbols the same merges are "
    "then used in the same order when new text is read so that equal text always gives equal "
    "tokens there is nothing random in it in this text the pairs are few but the rules are those "
    "of a large vocabulary and the tests that use it can see every kind of token bytes that stand "
    "alone letters with a leading space whole words and the special tokens that mark who is "
    "speaking and what the system said before the user asked the first question";
constexpr std::size_t kMaxMerges = 160;

using Word = std::vector<std::string>;
using Pair = std::pair<std::string, std::string>;

std::string utf8(std::uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

// The printable stand-in of each byte: itself where that is visible, else the next of U+0100...
std::array<std::string, 256> byte_symbols() {
  std::array<std::string, 256> out;
  std::uint32_t next = 256;
  for (std::uint32_t b = 0; b < 256; ++b) {
    const bool is_visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    out[b] = utf8(is_visible ? b : next++);
  }
  return out;
}

std::vector<Word> split_words(const std::array<std::string, 256>& symbols) {
  std::vector<Word> words(1);
  for (const char c : kText) {
    if (c == ' ') words.emplace_back();
    words.back().push_back(symbols[static_cast<unsigned char>(c)]);
  }
  return words;
}

void join(Word& word, const Pair& pair) {
  Word out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i + 1 < word.size() && word[i] == pair.first && word[i + 1] == pair.second) {
      out.push_back(pair.first + pair.second);
      ++i;
    } else {
      out.push_back(word[i]);
    }
  }
  word = std::move(out);
}

// The most frequent pair, ties to the first in byte order; nothing when no pair repeats.
std::vector<Pair> learn_merges(std::vector<Word> words, std::size_t most) {
  std::vector<Pair> merges;
  while (merges.size() < most) {
    std::map<Pair, std::size_t> counts;
    for (const Word& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    }
    const Pair* best = nullptr;
    std::size_t best_count = 1;
    for (const auto& [pair, count] : counts) {
      if (count > best_count) {
        best = &pair;
        best_count = count;
      }
    }
    if (best == nullptr) break;
    merges.push_back(*best);
    for (Word& word : words) join(word, merges.back());
  }
  return merges;
}

}  // namespace

Result<Vocabulary> make_vocabulary(std::uint32_t size) {
  constexpr std::size_t kFixed = kFirst.size() + 256 + kLast.size();
  if (size < kFixed) {
    return fail(Errc::invalid_argument, "a vocabulary of ", size, " tokens is too small, at least ",
                kFixed, " are needed");
  }
  Vocabulary out;
  const auto add = [&out](std::string_view token, std::int32_t type) {
    out.tokens.emplace_back(token);
    out.types.push_back(type);
  };
  for (const std::string_view token : kFirst) add(token, kControl);
  const auto symbols = byte_symbols();
  for (const std::string& symbol : symbols) add(symbol, kNormal);
  std::unordered_set<std::string> known(out.tokens.begin(), out.tokens.end());
  const std::size_t room = std::min<std::size_t>(size - kFixed, kMaxMerges);
  for (const auto& [left, right] : learn_merges(split_words(symbols), room)) {
    out.merges.push_back(left + " " + right);
    if (known.insert(left + right).second) add(left + right, kNormal);
  }
  const bool is_released = size > kReleasedIds.back();
  std::size_t special = 0;
  while (out.tokens.size() < size) {
    const std::size_t id = out.tokens.size();
    const bool is_special =
        special < kLast.size() && id >= (is_released ? kReleasedIds[special] : size - kLast.size());
    if (is_special) {
      add(kLast[special++], kUserDefined);
    } else {
      // Behind the last special token the shorter word, which keeps the head of the Flash shape
      // below that of the published file.
      add((special < kLast.size() ? "<filler_" : "<free_") + std::to_string(id) + ">", kNormal);
    }
  }
  return out;
}

}  // namespace ds4::synthetic
