#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace ds4::test {

inline std::string read_golden(const std::string& name) {
  const auto path = std::filesystem::path(DS4_SOURCE_DIR) / "tests" / "golden" / name;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

/// The vocabulary of tests/golden/tokenizer, trained by another implementation.
struct GoldenVocabulary {
  GoldenVocabulary()
      : vocab(read_golden("tokenizer/vocab.txt")), merges(read_golden("tokenizer/merges.txt")) {
    for (const std::string_view line : lines_of(vocab)) {
      source.types.push_back(line[0] - '0');
      source.tokens.push_back(line.substr(2));
    }
    source.merges = lines_of(merges);
    source.model = "gpt2";
    source.pre = "joyai-llm";
  }

  std::string vocab;
  std::string merges;
  VocabularySource source;
};

}  // namespace ds4::test
