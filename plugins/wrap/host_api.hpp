#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "ds4/backend.h"

namespace ds4::plugins {

/// Residency of expert weights that stay with the host (DS4_WEIGHT_STREAMED).
/// Called by backends, from the thread that enqueues or from one of theirs.
class ExpertStore {
 public:
  virtual ~ExpertStore() = default;
  /// A hint that `ids` of `layer` are wanted soon; returns at once.
  virtual void prefetch(std::uint32_t layer, std::span<const std::int32_t> ids) noexcept = 0;
  /// Fills out[i] for ids[i] and returns a ticket; the views live until release(ticket). May wait
  /// for a disk.
  virtual Result<std::uint64_t> acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                        std::span<ds4_expert_view> out) noexcept = 0;
  virtual void release(std::uint64_t ticket) noexcept = 0;
};

/// Where a backend's trace records go; may be called from any thread.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void begin(std::uint32_t op_tag, std::string_view name) noexcept = 0;
  virtual void end(std::uint32_t op_tag) noexcept = 0;
  virtual void counter(std::string_view name, std::int64_t value) noexcept = 0;
};

/// Values of `--backend-option <backend>.<key>=<value>`, by "<backend>.<key>".
using BackendOptions = std::map<std::string, std::string, std::less<>>;

struct HostOptions {
  std::shared_ptr<ThreadTeam> team;  ///< null: a team of one thread
  LogSink log;
  LogLevel log_level = LogLevel::info;  ///< most verbose level that backends are asked for
  BackendOptions options;
  std::uint64_t alloc_limit_bytes = ~0ull;  ///< of all alloc callbacks together
  std::shared_ptr<ExpertStore> experts;  ///< null: every expert is resident, or see lends_experts
  bool lends_experts = false;            ///< a store may come later (HostApi::lend_experts)
  std::shared_ptr<TraceSink> trace;      ///< null: tracing is off
};

/// Splits "cuda-spark.graph=off" and stores it. Errors: invalid_argument, saying the form.
Result<void> add_backend_option(BackendOptions& options, std::string_view text);

class HostApi;

/// While it lives, backends of a host get their streamed experts from a store that came after them.
class ExpertLoan {
 public:
  ExpertLoan() = default;
  explicit ExpertLoan(std::shared_ptr<HostApi> host) noexcept : host_(std::move(host)) {}
  ExpertLoan(ExpertLoan&& other) noexcept = default;
  ExpertLoan& operator=(ExpertLoan&& other) noexcept {
    std::swap(host_, other.host_);
    return *this;
  }
  ~ExpertLoan();

 private:
  std::shared_ptr<HostApi> host_;
};

/// What the host offers to the backends of one runtime.
///
/// Each backend gets a table of its own (its options differ), which lives as long as this object;
/// libraries hold a reference to it, so it outlives them. Two runtimes in one process are
/// independent.
class HostApi : public std::enable_shared_from_this<HostApi> {
 public:
  explicit HostApi(HostOptions options);
  ~HostApi();
  HostApi(const HostApi&) = delete;
  HostApi& operator=(const HostApi&) = delete;

  /// The table for the backend `name`; the same one each time. `defaults` are the manifest's
  /// options by key, used where the user gave none; they count on the first call only.
  /// Thread: any.
  [[nodiscard]] const ds4_host_api* table(std::string_view name,
                                          const BackendOptions& defaults = {});

  [[nodiscard]] const LogSink& log() const noexcept { return options_.log; }
  [[nodiscard]] ThreadTeam& team() const noexcept { return *options_.team; }
  /// Bytes that alloc callbacks hold right now.
  [[nodiscard]] std::uint64_t allocated_bytes() const noexcept { return allocated_.load(); }
  /// Has backends get their experts from `store`, which outlives the loan. No step of a backend
  /// runs while it begins or ends. Errors: unsupported where the host was not made for it, or while
  /// another store is lent: layers are all that backends tell experts apart by.
  Result<ExpertLoan> lend_experts(ExpertStore& store);
  /// Makes should_cancel answer yes, until it is taken back.
  void set_cancelled(bool cancelled) noexcept { cancelled_.store(cancelled); }

 private:
  friend class ExpertLoan;
  struct PerBackend;
  struct Callbacks;
  [[nodiscard]] ExpertStore* experts() const noexcept {
    ExpertStore* const lent = lent_experts_.load();
    return lent != nullptr ? lent : options_.experts.get();
  }
  [[nodiscard]] bool reserve(std::uint64_t bytes) noexcept;
  HostOptions options_;
  std::atomic<std::uint64_t> allocated_{0};
  std::atomic<bool> cancelled_{false};
  std::atomic<ExpertStore*> lent_experts_{nullptr};
  std::mutex team_mutex_;    // the team runs one region at a time; streams may be used by many
  std::mutex tables_mutex_;  // guards tables_
  std::vector<std::unique_ptr<PerBackend>> tables_;
};

}  // namespace ds4::plugins
