#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "engine/engine.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {

using Tokens = std::vector<std::int32_t>;

/// What architecture decision 3.3 and docs/sessions.md say about going back, written a second time
/// from the text: which positions a session can go back to without evaluating anything again.
class RewindModel {
 public:
  struct Rows {
    SessionId session;
    std::uint32_t rows;
    std::uint32_t back;  ///< rows that lie behind an automatic restore point
  };
  explicit RewindModel(std::uint32_t points);

  void open(SessionId session);
  void close(SessionId session);
  void fork(SessionId from, SessionId to);
  /// In the order of the step.
  void step(const std::vector<Rows>& parts);
  void keep(SessionId session, std::uint32_t position);
  /// The position reached.
  std::uint32_t rewind(SessionId session, std::uint32_t target);
  /// The session now is a loaded state at `position` with these further states.
  void load(SessionId session, std::uint32_t position, const std::vector<std::uint32_t>& states);

  [[nodiscard]] std::uint32_t position(SessionId session) const {
    return sessions_.at(session).position;
  }
  [[nodiscard]] std::vector<std::uint32_t> points(SessionId session) const;
  /// Whether the session is where a state was restored.
  [[nodiscard]] bool is_restored(SessionId session) const {
    return sessions_.at(session).restored == sessions_.at(session).position;
  }
  [[nodiscard]] std::size_t evictions() const { return evictions_; }

 private:
  struct Session {
    std::uint32_t position = 0, highest = 0, restored = 0;
    [[nodiscard]] std::uint32_t floor() const;
  };
  struct Point {
    std::uint32_t position = 0;
    bool is_kept = false;
    std::set<SessionId> holders;
  };
  void add(SessionId session, std::uint32_t position, bool is_kept);
  std::size_t make_room();
  void forget_above(SessionId session, std::uint32_t position);

  std::map<SessionId, Session> sessions_;
  std::vector<std::optional<Point>> entries_;
  std::size_t evictions_ = 0;
};

/// Logits that a schedule has seen, by the tokens before them, to be compared with a plain run:
/// a fresh session that evaluates all tokens from the first, and nothing else.
class SeenLogits {
 public:
  /// `history`: every token up to and with the one whose logits these are. False when the same
  /// tokens have had other logits before.
  bool add(std::span<const std::int32_t> history, std::span<const float> logits);
  /// Tokens of a session that ends here or is about to be rewound: they will be run plainly.
  void finish(const Tokens& history);
  /// Runs the histories on `plain` and counts rows that were seen and differ. `checked` counts
  /// rows.
  std::size_t differing(Engine& plain, std::size_t& checked) const;

 private:
  std::map<std::uint64_t, std::uint64_t> seen_;
  std::set<Tokens> histories_;
};

/// The whole snapshot in memory.
std::vector<std::byte> snapshot_of(Engine& engine, SessionId session, SnapshotContent content);

inline constexpr std::uint32_t kMicroVocab = 512;

/// Three sessions of micro, small steps, logits of every row.
[[nodiscard]] EngineOptions micro_options();

/// An engine on the reference backend over a model file that is there already.
std::unique_ptr<Engine> engine_over(const std::filesystem::path& model,
                                    const EngineOptions& options);

/// Where the four layers of micro run: embedding, layers, head, each a device.
struct MicroPlacement {
  const char* what;
  std::array<std::size_t, 6> on;
};
inline constexpr MicroPlacement kMicroPlacements[] = {
    {"two halves", {0, 0, 0, 1, 1, 1}},
    {"three devices, one of them twice, and a hash-routed layer away from the embedding",
     {0, 1, 2, 2, 0, 1}},
    {"two devices by turns", {0, 0, 1, 0, 1, 0}},
    {"embedding and head alone on one device", {1, 0, 0, 0, 0, 1}},
    {"the head alone", {0, 0, 0, 0, 0, 1}},
    {"the embedding alone", {0, 1, 1, 1, 1, 1}},
};
[[nodiscard]] EngineDevices devices_of(const MicroPlacement& placement);
/// The same over devices of the reference backend that are distinct objects.
std::unique_ptr<Engine> placed_engine_over(const std::filesystem::path& model,
                                           const EngineOptions& options,
                                           const MicroPlacement& placement);

}  // namespace ds4::test
