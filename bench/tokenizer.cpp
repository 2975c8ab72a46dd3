// Speed of the tokenizer on the texts of tests/golden/tokenizer and on a source file of its own,
// one thread: ds4-bench-tokenizer [FILE]. Prints megabytes (10^6 bytes) and tokens per second, the
// median of 7 runs. The golden vocabulary is small (2,010 tokens), so pieces need more merges than
// with a full one: the figure is a lower bound.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/unit/tokenizer/golden.hpp"

namespace {

void measure(const ds4::Tokenizer& tokenizer, const char* name, const std::string& text) {
  std::vector<double> seconds;
  std::size_t tokens = 0;
  for (int run = 0; run < 7; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    const auto ids = tokenizer.encode_text(text);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (!ids) {
      std::printf("%s: %s\n", name, ids.error().what.c_str());
      return;
    }
    tokens = ids->size();
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-12s %9zu bytes  %7.2f MB/s  %6.2f Mtokens/s  (%.2f to %.2f MB/s)\n", name,
              text.size(), static_cast<double>(text.size()) / seconds[3] / 1e6,
              static_cast<double>(tokens) / seconds[3] / 1e6,
              static_cast<double>(text.size()) / seconds[6] / 1e6,
              static_cast<double>(text.size()) / seconds[0] / 1e6);
}

}  // namespace

int main(int count, char** arguments) {
  const ds4::test::GoldenVocabulary golden;
  const auto tokenizer = ds4::Tokenizer::make(golden.source);
  if (!tokenizer) {
    std::printf("%s\n", tokenizer.error().what.c_str());
    return 1;
  }
  const std::string texts = ds4::test::read_golden("tokenizer/texts.bin");
  std::string mixed;
  for (std::size_t at = 0; at + 2 <= texts.size();) {
    const auto low = static_cast<unsigned char>(texts[at]);
    const auto high = static_cast<unsigned char>(texts[at + 1]);
    const std::size_t size = low + 256U * high;
    mixed.append(texts, at + 2, size).push_back('\n');
    at += 2 + size;
  }
  measure(*tokenizer, "mixed", mixed);
  // Not __FILE__: a compiler cache may have made it relative.
  std::ifstream file(count > 1 ? arguments[1] : DS4_SOURCE_DIR "/bench/tokenizer.cpp",
                     std::ios::binary);
  if (!file) {
    std::printf("cannot read the text to measure with\n");
    return 1;
  }
  std::ostringstream source;
  source << file.rdbuf();
  std::string code;
  while (!source.str().empty() && code.size() < 2000000) code += source.str();
  measure(*tokenizer, count > 1 ? "file" : "code", code);
  return 0;
}
