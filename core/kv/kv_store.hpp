#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kv/kv_layout.hpp"
#include "kv/page_pool.hpp"
#include "kv/restore_points.hpp"
#include "kv/session_state.hpp"

namespace ds4 {

/// A session and the rows that are to be added to it.
struct SessionGrowth {
  SessionState* session = nullptr;
  std::uint32_t rows = 0;
};

/// Pages of one ratio class that some rows ask for, and what is there.
struct RatioDemand {
  std::uint32_t ratio = 0;
  std::uint32_t needed = 0;     ///< new pages, and copies of pages that other sessions share
  std::uint32_t available = 0;  ///< free, or held by restore points only, which give way
  std::uint32_t total = 0;      ///< in the pool
};

struct PageDemand {
  std::array<RatioDemand, DS4_RATIO_CLASSES> ratios{};
  std::size_t count = 0;
  [[nodiscard]] bool fits() const noexcept;
};

/// A page that a session gets: its entry `index` of the page table of `ratio_class` becomes `to`.
/// With `rows` > 0 the first rows of page `from` are copied there first.
struct PageMove {
  std::size_t ratio_class = 0;
  SessionState* session = nullptr;
  std::uint32_t index = 0;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint32_t rows = 0;
};

/// Sessions, the pages they hold, their restore points, and the host copy of the page tables.
///
/// Host data only: what the device has to do about a change (copy pages and rings, take table
/// entries) is named by moves() and by the callers' own arguments. Changed between steps;
/// reserve(), undo_moves(), shorten() and add_point() allocate nothing.
class KvStore {
 public:
  KvStore() = default;
  /// `step_rows`: most rows of a step.
  KvStore(const KvLayout& layout, std::uint32_t step_rows);

  [[nodiscard]] std::span<std::optional<SessionState>> sessions() { return sessions_; }
  /// Null when no session has this slot.
  [[nodiscard]] SessionState* find(std::uint32_t slot);
  [[nodiscard]] const SessionState* find(std::uint32_t slot) const;
  [[nodiscard]] const RestorePoint& point(std::uint32_t index) const { return points_[index]; }
  [[nodiscard]] std::span<const std::int32_t> page_table(std::size_t ratio_class) const {
    return tables_[ratio_class];
  }
  /// Where the entries of a slot begin in the page table of a class.
  [[nodiscard]] std::size_t table_begin(std::size_t ratio_class, std::uint32_t slot) const;

  /// An empty session. Errors: out_of_memory when all slots are in use.
  Result<SessionState*> open_session();
  void close(SessionState& session);
  /// A session with the same tokens, pages and restore points; the rings are the caller's to copy.
  /// Errors: out_of_memory when all slots are in use.
  Result<SessionState*> fork(const SessionState& session);
  /// Makes the session end at `position`, at or above which its rings are whole. Pages and restore
  /// points behind it go.
  void shorten(SessionState& session, std::uint32_t position);

  /// What reserve() would ask for. Each session at most once.
  [[nodiscard]] PageDemand demand(std::span<const SessionGrowth> growths) const;
  /// Gives the sessions every page that their rows are written to, exclusively, and fills moves().
  /// Restore points give way when pages are short. Errors: out_of_memory, with the numbers and who
  /// holds the pages; nothing has changed then.
  Result<void> reserve(std::span<const SessionGrowth> growths);
  [[nodiscard]] std::span<const PageMove> moves() const { return moves_; }
  /// Takes the moves of the last reserve() back.
  void undo_moves();
  /// Pages for a session that holds none: its first `tokens` tokens. Errors: as reserve().
  Result<void> fill(SessionState& session, std::uint32_t tokens);
  /// What fill() would ask for once `session` has been emptied.
  [[nodiscard]] PageDemand demand_instead(const SessionState& session, std::uint32_t tokens) const;
  /// out_of_memory with the numbers of the first class that does not fit.
  [[nodiscard]] Error shortage(const PageDemand& demand, std::string_view what) const;

  /// A restore point of the session at `position`, of which the session still holds everything
  /// (SessionState::floor() .. position), in a free entry or in that of the victim. The caller
  /// copies the session's rings to ring copy `index`. Nothing when the engine keeps none, or when
  /// there is one at this position already (which now is kept, if asked).
  std::optional<std::uint32_t> add_point(SessionState& session, std::uint32_t position,
                                         bool is_kept);
  /// The same for a session that was loaded with this state, if an entry is free.
  std::optional<std::uint32_t> restore_point(SessionState& session, std::uint32_t position);
  /// Forgets a point, whoever holds it.
  void drop_point(std::uint32_t index);
  /// The session's greatest point not past `position`.
  [[nodiscard]] std::optional<std::uint32_t> best_point(const SessionState& session,
                                                        std::uint32_t position) const;
  /// Makes the session what it was at its point; rings and table entries are the caller's.
  void go_to_point(SessionState& session, std::uint32_t index);

 private:
  [[nodiscard]] std::uint32_t missing(std::size_t c, std::span<const SessionGrowth> growths,
                                      bool counts_points) const;
  [[nodiscard]] bool writes_tail(std::size_t c, const SessionGrowth& growth) const;
  [[nodiscard]] bool fits_now(std::span<const SessionGrowth> growths) const;
  [[nodiscard]] std::string holders(std::size_t c) const;
  void take_page(std::size_t c, SessionState& session);
  void set_entry(std::size_t c, const SessionState& session, std::size_t index);
  std::uint32_t put_point(SessionState& session, std::uint32_t position, bool is_kept,
                          std::uint32_t index);
  void let_go(SessionState& session, std::uint32_t index);
  void release_point(std::uint32_t index);

  KvLayout layout_;
  std::vector<std::optional<SessionState>> sessions_;  // by slot
  std::vector<PagePool> pools_;                        // by ratio class
  std::vector<std::vector<std::int32_t>> tables_;      // by ratio class, [slots * session pages]
  RestorePoints points_;
  std::vector<PageMove> moves_;
};

}  // namespace ds4
