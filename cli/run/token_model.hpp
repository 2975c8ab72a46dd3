#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "engine/sync.hpp"

namespace ds4::run {

/// One conversation's state in a model: what generation and measurements need of an engine. Tests
/// give their own.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Most tokens the state can hold.
  [[nodiscard]] virtual std::uint32_t context() const = 0;
  [[nodiscard]] virtual std::uint32_t vocab() const = 0;
  /// Makes the state equal to `tokens`; keeps what it has in common with them.
  virtual Result<SyncReport> prefill(std::span<const std::int32_t> tokens,
                                     const PrefillProgress& progress,
                                     const std::function<bool()>& cancelled) = 0;
  /// Adds a token; the logits [vocab] of the next position live until the next call.
  virtual Result<std::span<const float>> evaluate(std::int32_t token) = 0;
};

/// The session of an engine.
class EngineModel final : public TokenModel {
 public:
  /// Opens a session on `engine`, which outlives this. Errors: those of create_session().
  static Result<EngineModel> make(Engine& engine);
  EngineModel(EngineModel&& other) noexcept;
  EngineModel& operator=(EngineModel&&) = delete;
  ~EngineModel() override;

  [[nodiscard]] std::uint32_t context() const override;
  [[nodiscard]] std::uint32_t vocab() const override;
  Result<SyncReport> prefill(std::span<const std::int32_t> tokens, const PrefillProgress& progress,
                             const std::function<bool()>& cancelled) override;
  Result<std::span<const float>> evaluate(std::int32_t token) override;

  [[nodiscard]] SessionId session() const noexcept { return session_; }

  /// Adds tokens and gives the logits of each to `take` (row index, logits), in chunks of the
  /// engine's logits rows.
  Result<void> evaluate_rows(std::span<const std::int32_t> tokens,
                             const std::function<void(std::size_t, std::span<const float>)>& take);

 private:
  EngineModel(Engine& engine, SessionId session) : engine_(&engine), session_(session) {}
  Engine* engine_;
  SessionId session_;
};

}  // namespace ds4::run
