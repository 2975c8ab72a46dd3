#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "run/generate.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run {

/// --trace: JSON lines, flushed one by one. First {"prompt":[ids],"seed":s}, then per chosen token
/// {"step","id","bytes","probability","rank","seconds"}; probability and rank (from 0) are those of
/// the raw logits at temperature 1.
class Trace {
 public:
  /// Errors: io.
  static Result<Trace> open(const std::string& path, Tokenizer tokenizer);

  Result<void> prompt(std::span<const std::int32_t> tokens, std::uint64_t seed);
  Result<void> token(const ChosenToken& chosen);

 private:
  struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };
  Trace(std::string path, std::FILE* file, Tokenizer tokenizer);
  Result<void> line(const std::string& text);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  Tokenizer tokenizer_;
  std::int64_t step_ = 0;
};

}  // namespace ds4::run
