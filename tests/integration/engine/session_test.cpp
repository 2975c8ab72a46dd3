// Sessions that fork, go back, are saved and loaded, in random order: every step's logits are those
// of a plain run of the same tokens, and every rewind reaches what the text of the architecture
// says.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>

#include "tests/integration/engine/history.hpp"

namespace ds4::test {
namespace {

constexpr std::uint32_t kVocab = 512;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

EngineOptions options(std::uint32_t points) {
  EngineOptions out;
  out.context = 640;
  out.sessions = 3;
  out.decode_rows = 24;
  out.prefill_rows = 40;
  out.logits_rows = 64;
  out.restore_points = points;
  return out;
}

/// What the schedules did, so that they cannot pass by doing nothing.
struct Counts {
  std::size_t rows = 0;       // compared
  std::size_t rewinds = 0;    // of any distance
  std::size_t to_points = 0;  // that ended at a restore point
  std::size_t again = 0;      // tokens that they had to evaluate again
  std::size_t evictions = 0;  // restore points that went for another
};

/// One random life of up to three sessions.
class Schedule {
 public:
  /// `is_placed`: on several devices, other ones whenever the sessions move to a new engine.
  Schedule(const std::filesystem::path& model, std::uint64_t seed, bool is_placed)
      : random_(seed),
        model_(model),
        is_placed_(is_placed),
        opened_(seed),
        options_(options(std::array{0U, 1U, 2U, 3U, 5U, 40U}[seed % 6])),
        expected_(options_.restore_points) {
    // Pages may lie anywhere, and tails of sessions in any of them.
    engine_ = new_engine();
    open();
  }

  void run(std::size_t actions) {
    for (std::size_t i = 0; i < actions; ++i) {
      const std::uint32_t action = pick(24);
      if (action < 8) {
        mixed_step();
      } else if (action < 9) {
        row_by_row();
      } else if (action < 13) {
        rewind();
      } else if (action < 20) {
        keep();
      } else if (action < 21) {
        fork();
      } else if (action < 22) {
        pick(2) == 0 ? move_to_new_engine() : load_into_another();
      } else {
        pick(3) == 0 ? close() : open();
      }
      for (const auto& [session, tokens] : tracks_) {
        BOOST_REQUIRE_EQUAL(engine_->position(session), expected_.position(session));
        const std::vector<std::uint32_t> points = engine_->restore_points(session);
        BOOST_REQUIRE(points == expected_.points(session));
      }
    }
    for (const auto& [session, tokens] : tracks_) seen_.finish(tokens);
  }

  void check(Engine& plain, Counts& counts) const {
    BOOST_TEST(seen_.differing(plain, counts.rows) == 0U);
    counts.rewinds += counts_.rewinds;
    counts.to_points += counts_.to_points;
    counts.again += counts_.again;
    counts.evictions += counts_.evictions + expected_.evictions();
  }

 private:
  using Track = std::pair<const SessionId, Tokens>;

  std::unique_ptr<Engine> new_engine() {
    if (!is_placed_) return engine_over(model_, options_);
    return placed_engine_over(model_, options_,
                              kMicroPlacements[opened_++ % std::size(kMicroPlacements)]);
  }

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  Track& any() {
    return *std::next(tracks_.begin(), pick(static_cast<std::uint32_t>(tracks_.size())));
  }

  void open() {
    if (tracks_.size() == options_.sessions) return;
    const SessionId session = must(engine_->create_session());
    tracks_[session] = {};
    expected_.open(session);
  }

  void close() {
    if (tracks_.size() < 2) return;
    const auto& [session, tokens] = any();
    seen_.finish(tokens);
    engine_->close_session(session);
    expected_.close(session);
    tracks_.erase(SessionId{session});
  }

  void fork() {
    if (tracks_.size() == options_.sessions) return;
    const Track& from = any();
    const SessionId session = must(engine_->fork(from.first));
    expected_.fork(from.first, session);
    tracks_[session] = from.second;
  }

  void add_rows(Track& track, std::uint32_t rows, std::vector<StepRow>& to) {
    for (std::uint32_t i = 0; i < rows; ++i) {
      // Few different ids, so that rewound sessions often take up what they had before.
      track.second.push_back(static_cast<std::int32_t>(pick(8) == 0 ? pick(kVocab) : 7));
      to.push_back({track.first, track.second.back(), true});
    }
  }

  void step(const std::vector<std::pair<Track*, std::uint32_t>>& decode, Track* prefill,
            std::uint32_t prefill_rows) {
    std::vector<StepRow> rows, segment;
    std::vector<RewindModel::Rows> parts;
    std::vector<std::pair<const Track*, std::size_t>> order;
    for (const auto& [track, count] : decode) {
      for (std::size_t i = 0; i < count; ++i)
        order.emplace_back(track, track->second.size() + i + 1);
      add_rows(*track, count, rows);
      parts.push_back({track->first, count, count});
    }
    if (prefill != nullptr) {
      for (std::size_t i = 0; i < prefill_rows; ++i) {
        order.emplace_back(prefill, prefill->second.size() + i + 1);
      }
      add_rows(*prefill, prefill_rows, segment);
      parts.push_back({prefill->first, prefill_rows, 1});
    }
    const StepOutput output = must(
        engine_->step({.decode = rows, .prefill = segment, .read_logits = true, .forced = {}}));
    BOOST_REQUIRE_EQUAL(output.rows, order.size());
    for (std::uint32_t i = 0; i < output.rows; ++i) {
      const auto& [track, length] = order[i];
      BOOST_REQUIRE(seen_.add(std::span(track->second).first(length), output.row(i)));
    }
    expected_.step(parts);
  }

  [[nodiscard]] std::uint32_t room(const Track& track) const {
    return options_.context - static_cast<std::uint32_t>(track.second.size());
  }

  void mixed_step() {
    Track* const prefill = pick(3) != 0 ? &any() : nullptr;
    std::vector<std::pair<Track*, std::uint32_t>> decode;
    for (Track& track : tracks_) {
      const std::uint32_t rows = std::min(1 + (pick(4) == 0 ? pick(8) : 0), room(track));
      if (&track != prefill && rows > 0 && pick(3) != 0) decode.emplace_back(&track, rows);
    }
    const std::uint32_t rows =
        prefill == nullptr ? 0 : std::min(1 + pick(options_.prefill_rows), room(*prefill));
    if (rows == 0 && decode.empty()) return;
    step(decode, rows == 0 ? nullptr : prefill, rows);
  }

  void row_by_row() {
    for (std::uint32_t i = 0; i < 6; ++i) {
      for (Track& track : tracks_) {
        if (room(track) > 0) step({{&track, 1}}, nullptr, 0);
      }
    }
  }

  void rewind() {
    Track& track = any();
    const auto position = static_cast<std::uint32_t>(track.second.size());
    const std::uint32_t back = std::min(
        position,
        std::array{1U, 16U, 17U, pick(20), pick(40), pick(40), pick(80), pick(641)}[pick(8)]);
    seen_.finish(track.second);
    const std::uint32_t reached = must(engine_->rewind(track.first, position - back));
    BOOST_REQUIRE_EQUAL(reached, expected_.rewind(track.first, position - back));
    ++counts_.rewinds;
    counts_.to_points += reached > 0 && expected_.is_restored(track.first) ? 1 : 0;
    counts_.again += position - back - reached;
    const Tokens before = track.second;
    track.second.resize(reached);
    if (pick(2) == 0) return;
    // Replay what was there, in pieces.
    while (track.second.size() < before.size()) {
      const std::size_t at = track.second.size();
      const std::size_t end = std::min(before.size(), at + 1 + pick(options_.prefill_rows));
      std::vector<StepRow> rows;
      for (std::size_t i = at; i < end; ++i) rows.push_back({track.first, before[i], true});
      const StepOutput output =
          must(engine_->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
      track.second.assign(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(end));
      for (std::uint32_t i = 0; i < output.rows; ++i) {
        BOOST_REQUIRE(seen_.add(std::span(before).first(at + i + 1), output.row(i)));
      }
      expected_.step({{track.first, static_cast<std::uint32_t>(end - at), 1}});
    }
  }

  void keep() {
    const Track& track = any();
    const auto position = static_cast<std::uint32_t>(track.second.size());
    const std::uint32_t at = position - std::min(position, pick(18));
    must(engine_->keep_restore_point(track.first, at));
    expected_.keep(track.first, at);
  }

  // States that a snapshot of this session carries.
  [[nodiscard]] std::vector<std::uint32_t> states(const Track& track,
                                                  SnapshotContent content) const {
    std::vector<std::uint32_t> out;
    if (content == SnapshotContent::state) return out;
    for (const std::uint32_t point : expected_.points(track.first)) {
      if (point < track.second.size()) out.push_back(point);
    }
    return out;
  }

  SnapshotContent content() {
    return pick(2) == 0 ? SnapshotContent::state : SnapshotContent::with_restore_points;
  }

  void move_to_new_engine() {
    RewindModel after(options_.restore_points);
    auto next = new_engine();
    std::map<SessionId, Tokens> moved;
    for (const Track& track : tracks_) {
      const SessionId session = must(next->create_session());
      after.open(session);
      moved[session] = track.second;
      if (track.second.empty()) continue;
      // What was in this memory before must not count: it may be what the old engine had there.
      all_logits(*next, session, random_tokens(random_(), 200, kVocab), 40);
      const SnapshotContent what = content();
      must(next->restore(session, snapshot_of(*engine_, track.first, what), "memory"));
      after.load(session, static_cast<std::uint32_t>(track.second.size()), states(track, what));
    }
    engine_ = std::move(next);
    counts_.evictions += expected_.evictions();
    tracks_ = std::move(moved);
    expected_ = std::move(after);
  }

  void load_into_another() {
    const Track& from = any();
    Track& to = any();
    if (from.second.empty()) return;
    const SnapshotContent what = content();
    const std::vector<std::byte> bytes = snapshot_of(*engine_, from.first, what);
    const std::vector<std::uint32_t> carried = states(from, what);
    seen_.finish(to.second);
    must(engine_->restore(to.first, bytes, "memory"));
    to.second = from.second;
    expected_.load(to.first, static_cast<std::uint32_t>(to.second.size()), carried);
  }

  std::mt19937_64 random_;
  std::filesystem::path model_;
  bool is_placed_;
  std::uint64_t opened_;
  EngineOptions options_;
  RewindModel expected_;
  std::unique_ptr<Engine> engine_;
  std::map<SessionId, Tokens> tracks_;
  SeenLogits seen_;
  Counts counts_;
};

struct Fixture {
  Fixture() {
    model = folder.path() / "micro.gguf";
    must(write_synthetic_model(model, must(SyntheticSpec::make("micro"))));
    EngineOptions plain_options = options(0);
    plain_options.sessions = 1;
    plain = engine_over(model, plain_options);
  }
  TemporaryFolder folder;
  std::filesystem::path model;
  std::unique_ptr<Engine> plain;

  void run_schedules(bool is_placed);
};

void Fixture::run_schedules(bool is_placed) {
  const std::uint64_t first = from_environment("DS4_SEED", 1);
  const std::uint64_t count = from_environment("DS4_SCHEDULES", 20);
  Counts counts;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed << "; DS4_SEED=" << seed << " DS4_SCHEDULES=1 repeats it") {
      Schedule schedule(model, seed, is_placed);
      schedule.run(90);
      schedule.check(*plain, counts);
    }
  }
  BOOST_TEST_MESSAGE(count << " schedules from seed " << first << ": " << counts.rows
                           << " rows compared, " << counts.rewinds << " rewinds, "
                           << counts.to_points << " to restore points, " << counts.again
                           << " tokens again, " << counts.evictions << " evictions");
  if (count < 10) return;
  BOOST_TEST(counts.rows > 100 * count);
  BOOST_TEST(counts.to_points > count / 2);
  BOOST_TEST(counts.again > 10 * count);
  BOOST_TEST(counts.evictions > count);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sessions, Fixture)

BOOST_AUTO_TEST_CASE(any_order_of_steps_forks_rewinds_saves_and_loads_gives_the_plain_logits) {
  run_schedules(false);
}

BOOST_AUTO_TEST_CASE(any_order_on_several_devices_gives_the_logits_of_one) {
  run_schedules(true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
