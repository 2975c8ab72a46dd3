#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"

namespace ds4 {

struct LogitBias {
  std::int32_t token = 0;
  float bias = 0;  ///< added to the logit; -100 or less bans the token
};

/// How one request wants its tokens chosen. The defaults sample from the unchanged distribution.
struct SamplingParams {
  float temperature = 1.0F;  ///< 0 = the most likely token
  std::uint32_t top_k = 0;   ///< 0 = off
  float top_p = 1.0F;        ///< outside (0, 1) = off
  float min_p = 0.0F;        ///< 0 = off
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  float repetition_penalty = 1.0F;
  std::vector<LogitBias> logit_bias;
  std::uint64_t seed = 0;
};

/// xorshift64*: one 24-bit uniform per draw.
class RandomStream {
 public:
  /// A seed of 0 is replaced by 0x9E3779B97F4A7C15, the one state the generator cannot leave.
  explicit RandomStream(std::uint64_t seed) noexcept;
  /// Uniform in [0, 1), a multiple of 2^-24.
  double uniform() noexcept;
  [[nodiscard]] std::uint64_t state() const noexcept { return state_; }

 private:
  std::uint64_t state_;
};

/// What belongs to a request: its parameters, its random stream, and how often it made each token.
class RequestSampling {
 public:
  /// Errors: invalid_argument (a number that is not finite or out of range, a bias for a token
  /// outside the vocabulary). Allocates 8 bytes per token of the vocabulary if penalties are used.
  static Result<RequestSampling> make(SamplingParams params, std::uint32_t vocab);

  /// Notes a token of the answer, sampled or forced; penalties see it from the next position on.
  void accept(std::int32_t token) noexcept;

  [[nodiscard]] const SamplingParams& params() const noexcept { return params_; }
  [[nodiscard]] std::uint32_t vocab() const noexcept { return vocab_; }
  [[nodiscard]] const RandomStream& random() const noexcept { return random_; }

 private:
  friend class Sampler;
  RequestSampling(SamplingParams params, std::uint32_t vocab);
  [[nodiscard]] bool has_penalties() const noexcept;

  SamplingParams params_;
  std::uint32_t vocab_;
  RandomStream random_;
  std::vector<std::uint32_t> counts_;  // by token; empty without penalties
  std::vector<std::int32_t> seen_;     // tokens with a count, in order of first use
};

enum class SamplingMode {
  request,  ///< the request's parameters
  greedy    ///< forced: argmax over the masked logits, without bias, penalties or a draw
};

/// Chooses tokens. Owns scratch for one vocabulary; one thread at a time, any number of requests.
/// After construction no call allocates.
class Sampler {
 public:
  explicit Sampler(std::uint32_t vocab);

  /// The next token from the logits of one position.
  ///
  /// Order: masks (`banned`), bias, presence and frequency, repetition; then argmax if greedy or
  /// temperature 0, else temperature, top_k, softmax, top_p, min_p, one draw. NaN and infinite
  /// logits are skipped; ties go to the lowest id. Makes exactly one draw per sampled token, none
  /// otherwise. Errors: invalid_argument (logits of another size), internal (no finite logit is
  /// left).
  Result<std::int32_t> sample(std::span<const float> logits, RequestSampling& request,
                              SamplingMode mode = SamplingMode::request,
                              std::span<const std::int32_t> banned = {});

 private:
  struct Candidate {
    float logit;
    std::int32_t token;
  };
  void adjust(const RequestSampling& request);
  Result<std::int32_t> argmax() const;
  Result<std::int32_t> draw_unordered(const SamplingParams& params, RandomStream& random);
  Result<std::int32_t> draw_ordered(const SamplingParams& params, RandomStream& random);

  [[nodiscard]] std::int32_t pick(double target) const noexcept;

  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace ds4
