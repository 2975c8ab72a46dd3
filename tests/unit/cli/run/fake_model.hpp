#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/synthetic_parts.hpp"
#include "run/token_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::run::test {

/// A model whose logits are a given function of the position: enough to check what is done with
/// logits, without any model.
class FakeModel final : public TokenModel {
 public:
  using Logits = std::function<std::vector<float>(std::size_t position)>;
  FakeModel(std::uint32_t context, std::uint32_t vocab, Logits logits)
      : context_(context), vocab_(vocab), make_(std::move(logits)) {}

  [[nodiscard]] std::uint32_t context() const override { return context_; }
  [[nodiscard]] std::uint32_t vocab() const override { return vocab_; }
  Result<SyncReport> prefill(std::span<const std::int32_t> tokens, const PrefillProgress&,
                             const std::function<bool()>& cancelled) override {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "prefill was interrupted");
    seen.assign(tokens.begin(), tokens.end());
    SyncReport report;
    report.evaluated = static_cast<std::uint32_t>(tokens.size());
    report.logits = make_(seen.size());
    return report;
  }
  Result<std::span<const float>> evaluate(std::int32_t token) override {
    seen.push_back(token);
    logits_ = make_(seen.size());
    return std::span<const float>(logits_);
  }

  std::vector<std::int32_t> seen;

 private:
  std::uint32_t context_;
  std::uint32_t vocab_;
  Logits make_;
  std::vector<float> logits_;
};

/// Logits that make `token` the most likely one.
inline std::vector<float> peak(std::uint32_t vocab, std::int32_t token) {
  std::vector<float> logits(vocab, 0.0F);
  logits[static_cast<std::size_t>(token)] = 5.0F;
  return logits;
}

/// A byte-level tokenizer with every chat token.
inline Tokenizer small_tokenizer() {
  const auto vocabulary = synthetic::make_vocabulary(512);
  VocabularySource source;
  for (const auto& token : vocabulary->tokens) source.tokens.push_back(token);
  source.types = vocabulary->types;
  for (const auto& merge : vocabulary->merges) source.merges.push_back(merge);
  source.model = "gpt2";
  source.pre = "joyai-llm";
  auto tokenizer = Tokenizer::make(source);
  return *std::move(tokenizer);
}

}  // namespace ds4::run::test
