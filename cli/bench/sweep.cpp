#include "bench/sweep.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "bench/logits.hpp"
#include "engine/sync.hpp"

namespace ds4::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double per_second(double count, double seconds) {
  return seconds > 0 ? count / seconds : 0;
}

std::int32_t likeliest(std::span<const float> logits, std::int32_t end_token) {
  std::int32_t best = -1;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(logits.size()); ++id) {
    if (id == end_token) continue;
    if (best < 0 || logits[static_cast<std::size_t>(id)] > logits[static_cast<std::size_t>(best)]) {
      best = id;
    }
  }
  return best;
}

/// The value below which a share of the times lies, by the nearest rank.
double percentile(std::vector<double> times, double share) {
  std::sort(times.begin(), times.end());
  const double rank = std::ceil(share * static_cast<double>(times.size()));
  return times[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

/// A session that is closed at the end.
class OpenSession {
 public:
  OpenSession(Engine& engine, SessionId id) : engine_(engine), id_(id) {}
  ~OpenSession() { engine_.close_session(id_); }
  OpenSession(const OpenSession&) = delete;
  OpenSession& operator=(const OpenSession&) = delete;
  [[nodiscard]] SessionId id() const { return id_; }

 private:
  Engine& engine_;
  SessionId id_;
};

class Walk {
 public:
  Walk(const BenchOptions& options, const Sweep& sweep, SessionId session)
      : options_(options), sweep_(sweep), engine_(*sweep.engine), session_(session) {}

  Result<void> measure(std::uint32_t frontier, bool is_last) {
    BenchRow row;
    row.run = sweep_.run;
    row.backend = sweep_.backend;
    row.ctx_tokens = frontier;
    row.prefill_tokens = frontier - previous_;
    const auto begin = Clock::now();
    DS4_TRY(SyncReport reached,
            sync(engine_, session_, sweep_.tokens.first(frontier), {}, sweep_.cancelled));
    row.prefill_tps = per_second(row.prefill_tokens, seconds_since(begin));
    add_ceilings(row);
    DS4_TRY(row.kvcache_bytes, snapshot_bytes());
    if (sweep_.on_logits) DS4_CHECK(sweep_.on_logits(frontier, reached.logits));
    if (options_.generated > 0) {
      if (!is_last) {
        DS4_TRY([[maybe_unused]] const bool kept, engine_.keep_restore_point(session_, frontier));
      }
      DS4_CHECK(decode(row, reached.logits));
      if (!is_last) DS4_CHECK(go_back_exactly(frontier));
    }
    previous_ = frontier;
    return sweep_.on_row(row);
  }

 private:
  Result<void> decode(BenchRow& row, std::span<const float> logits) {
    std::vector<double> times;
    std::vector<std::int32_t> decoded;
    std::int32_t token = likeliest(logits, sweep_.end_token);
    engine_.reset_expert_counts();
    for (std::uint32_t i = 0; i < options_.generated; ++i) {
      if (sweep_.cancelled && sweep_.cancelled()) return fail(Errc::cancelled, "interrupted");
      const auto begin = Clock::now();
      DS4_TRY(const std::span<const float> next, evaluate(engine_, session_, token));
      times.push_back(seconds_since(begin));
      if (i == 0) {
        first_token_ = token;
        first_logits_.assign(next.begin(), next.end());
      }
      decoded.push_back(token);
      token = likeliest(next, sweep_.end_token);
    }
    if (const auto experts = engine_.expert_report()) add_experts(row, experts->counts);
    const double total = std::accumulate(times.begin(), times.end(), 0.0);
    row.gen_tokens = options_.generated;
    row.gen_tps = per_second(row.gen_tokens, total);
    row.gen_first_ms = times.front() * 1e3;
    row.gen_steady_tokens = row.gen_tokens - 1;
    row.gen_steady_tps = per_second(row.gen_steady_tokens, total - times.front());
    // The first decoded token pays for what the evaluation before left in the caches.
    const std::vector<double> steady(times.begin() + (times.size() > 1 ? 1 : 0), times.end());
    row.gen_p50_ms = percentile(steady, 0.50) * 1e3;
    row.gen_p99_ms = percentile(steady, 0.99) * 1e3;
    if (row.roofline_tps > 0) row.ratio = row.gen_steady_tps / row.roofline_tps;
    if (sweep_.on_decoded) sweep_.on_decoded(decoded);
    return {};
  }

  static void add_experts(BenchRow& row, const ExpertCacheCounts& counts) {
    const auto asked = static_cast<double>(counts.asked());
    const auto share = [asked](std::uint64_t of) {
      return asked > 0 ? static_cast<double>(of) / asked : 0;
    };
    row.expert_hit_rate = counts.hit_rate();
    row.expert_read_ahead = share(counts.read_ahead);
    row.expert_late = share(counts.late);
    row.expert_wait_s = counts.waited_seconds;
    row.expert_bytes_read = counts.bytes_read;
  }

  void add_ceilings(BenchRow& row) const {
    // Decoding goes on from here: the middle of its tokens stands for all.
    row.token_bytes = sweep_.roofline->decode_bytes(row.ctx_tokens + options_.generated / 2);
    if (sweep_.bytes_per_second <= 0) return;
    row.probe_gbps = sweep_.bytes_per_second / 1e9;
    row.roofline_tps = sweep_.bytes_per_second / static_cast<double>(row.token_bytes);
    const std::uint32_t chunk = engine_.options().prefill_rows;
    const std::uint32_t rest = row.prefill_tokens % chunk;
    const std::uint32_t whole = row.prefill_tokens / chunk;
    const double bytes = whole * sweep_.roofline->prefill_bytes(chunk) +
                         (rest != 0 ? sweep_.roofline->prefill_bytes(rest) : 0);
    row.prefill_roofline_tps = row.prefill_tokens * sweep_.bytes_per_second / bytes;
    row.prefill_ratio = row.prefill_tps / row.prefill_roofline_tps;
  }

  Result<std::uint64_t> snapshot_bytes() {
    std::uint64_t bytes = 0;
    DS4_CHECK(engine_.snapshot(session_, [&bytes](std::span<const std::byte> part) -> Result<void> {
      bytes += part.size();
      return {};
    }));
    return bytes;
  }

  Result<void> go_back_exactly(std::uint32_t frontier) {
    DS4_TRY(const bool was_restored, go_back(frontier));
    // What is evaluated again comes in other chunks, and need not have the same bits.
    if (!was_restored || !sweep_.checks_restore) return {};
    DS4_TRY(const std::span<const float> again, evaluate(engine_, session_, first_token_));
    DS4_CHECK(check_restored(first_logits_, again));
    DS4_TRY([[maybe_unused]] const bool is_there, go_back(frontier));
    return {};
  }

  /// Whether the state was restored, not evaluated again.
  Result<bool> go_back(std::uint32_t frontier) {
    DS4_TRY(const std::uint32_t reached, engine_.rewind(session_, frontier));
    if (reached == frontier) return true;
    DS4_TRY([[maybe_unused]] const SyncReport again,
            sync(engine_, session_, sweep_.tokens.first(frontier), {}, sweep_.cancelled));
    return false;
  }

  const BenchOptions& options_;
  const Sweep& sweep_;
  Engine& engine_;
  SessionId session_;
  std::uint32_t previous_ = 0;
  std::int32_t first_token_ = -1;    // decoded at the frontier
  std::vector<float> first_logits_;  // that it gave
};

}  // namespace

Result<void> run_sweep(const BenchOptions& options, const Sweep& sweep) {
  DS4_TRY(const SessionId id, sweep.engine->create_session());
  const OpenSession session(*sweep.engine, id);
  if (sweep.warms_up) {
    const auto few = sweep.tokens.first(std::min<std::uint32_t>(options.last, 32));
    DS4_TRY([[maybe_unused]] const SyncReport warm,
            sync(*sweep.engine, id, few, {}, sweep.cancelled));
    DS4_TRY([[maybe_unused]] const std::uint32_t back, sweep.engine->rewind(id, 0));
  }
  Walk walk(options, sweep, id);
  for (const std::uint32_t frontier : frontiers(options)) {
    if (auto done = walk.measure(frontier, frontier == options.last); !done) {
      return done.error().in("at ", frontier, " tokens");
    }
  }
  return {};
}

}  // namespace ds4::bench
