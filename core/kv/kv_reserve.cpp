// Admission: which pages rows need, who has them, and handing them out.
#include <algorithm>
#include <sstream>

#include "base/assert.hpp"
#include "kv/kv_store.hpp"

namespace ds4 {
namespace {

constexpr std::size_t kNamedHolders = 3;

}  // namespace

bool PageDemand::fits() const noexcept {
  return std::all_of(ratios.begin(), ratios.begin() + static_cast<std::ptrdiff_t>(count),
                     [](const RatioDemand& ratio) { return ratio.needed <= ratio.available; });
}

/// Only the last page of a session holds rows and has room for more.
bool KvStore::writes_tail(std::size_t c, const SessionGrowth& growth) const {
  const std::uint32_t ratio = layout_.classes[c].ratio.ratio;
  const std::uint32_t rows = growth.session->position / ratio;
  return rows % kPageRows != 0 && (growth.session->position + growth.rows) / ratio > rows;
}

std::uint32_t KvStore::missing(std::size_t c, std::span<const SessionGrowth> growths,
                               bool counts_points) const {
  std::uint32_t pages = 0;
  for (std::size_t i = 0; i < growths.size(); ++i) {
    const SessionState& session = *growths[i].session;
    pages += pages_for(session.position + growths[i].rows, layout_.classes[c].ratio.ratio) -
             static_cast<std::uint32_t>(session.pages[c].size());
    if (!writes_tail(c, growths[i])) continue;
    const std::uint32_t tail = session.pages[c].back();
    std::uint32_t others =
        (counts_points ? pools_[c].references(tail) : pools_[c].sessions(tail)) - 1;
    if (others == 0) continue;
    // Whoever writes before has left the page for a copy by then.
    for (std::size_t j = 0; j < i; ++j) {
      const bool has_left =
          writes_tail(c, growths[j]) && growths[j].session->pages[c].back() == tail;
      others -= has_left ? 1 : 0;
    }
    pages += others > 0 ? 1 : 0;
  }
  return pages;
}

PageDemand KvStore::demand(std::span<const SessionGrowth> growths) const {
  PageDemand out;
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    out.ratios[out.count++] = {layout_.classes[c].ratio.ratio, missing(c, growths, false),
                               pools_[c].free_pages() + pools_[c].reclaimable_pages(),
                               pools_[c].pages()};
  }
  return out;
}

PageDemand KvStore::demand_instead(const SessionState& session, std::uint32_t tokens) const {
  PageDemand out;
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    std::uint32_t own = 0;
    for (const std::uint32_t page : session.pages[c]) own += pools_[c].sessions(page) == 1 ? 1 : 0;
    const std::uint32_t ratio = layout_.classes[c].ratio.ratio;
    out.ratios[out.count++] = {ratio, pages_for(tokens, ratio),
                               pools_[c].free_pages() + pools_[c].reclaimable_pages() + own,
                               pools_[c].pages()};
  }
  return out;
}

std::string KvStore::holders(std::size_t c) const {
  std::vector<const SessionState*> by_pages;
  for (const std::optional<SessionState>& session : sessions_) {
    if (session && !session->pages[c].empty()) by_pages.push_back(&*session);
  }
  std::stable_sort(by_pages.begin(), by_pages.end(),
                   [c](const SessionState* a, const SessionState* b) {
                     return a->pages[c].size() > b->pages[c].size();
                   });
  std::ostringstream text;
  for (std::size_t i = 0; i < std::min(by_pages.size(), kNamedHolders); ++i) {
    text << (i == 0 ? "session " : ", session ") << by_pages[i]->slot << " holds "
         << by_pages[i]->pages[c].size();
  }
  if (by_pages.size() > kNamedHolders) {
    text << ", " << by_pages.size() - kNamedHolders << " more hold the rest";
  }
  return text.str();
}

Error KvStore::shortage(const PageDemand& demand, std::string_view what) const {
  for (std::size_t c = 0; c < demand.count; ++c) {
    const RatioDemand& ratio = demand.ratios[c];
    if (ratio.needed <= ratio.available) continue;
    const std::string who = holders(c);
    return fail(Errc::out_of_memory, what, " needs ", ratio.needed, " KV pages of ratio ",
                ratio.ratio, ", ", ratio.available, " of ", ratio.total, " are free",
                who.empty() ? "" : " (" + who + ")", "; end a session or wait for one");
  }
  return fail(Errc::internal, what, " was refused KV pages that are there");
}

bool KvStore::fits_now(std::span<const SessionGrowth> growths) const {
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    if (missing(c, growths, true) > pools_[c].free_pages()) return false;
  }
  return true;
}

Result<void> KvStore::reserve(std::span<const SessionGrowth> growths) {
  moves_.clear();
  if (!fits_now(growths)) {
    const PageDemand wanted = demand(growths);
    if (!wanted.fits()) return shortage(wanted, "the step");
    while (!fits_now(growths)) drop_point(*points_.victim(sessions_));
  }
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    const std::uint32_t ratio = layout_.classes[c].ratio.ratio;
    for (const SessionGrowth& growth : growths) {
      SessionState& session = *growth.session;
      std::vector<std::uint32_t>& pages = session.pages[c];
      if (writes_tail(c, growth) && !pools_[c].is_exclusive(pages.back())) {
        const std::uint32_t from = pages.back();
        const auto index = static_cast<std::uint32_t>(pages.size() - 1);
        pages.pop_back();
        take_page(c, session);
        pools_[c].release(from);
        moves_.push_back(
            {c, &session, index, from, pages.back(), session.position / ratio % kPageRows});
      }
      const std::uint32_t wanted = pages_for(session.position + growth.rows, ratio);
      while (pages.size() < wanted) {
        const auto index = static_cast<std::uint32_t>(pages.size());
        take_page(c, session);
        moves_.push_back({c, &session, index, 0, pages.back(), 0});
      }
    }
  }
  return {};
}

void KvStore::take_page(std::size_t c, SessionState& session) {
  const std::optional<std::uint32_t> page = pools_[c].take();
  DS4_ASSERT(page);
  session.pages[c].push_back(*page);
  set_entry(c, session, session.pages[c].size() - 1);
}

void KvStore::undo_moves() {
  for (std::size_t i = moves_.size(); i-- > 0;) {
    const PageMove& move = moves_[i];
    std::vector<std::uint32_t>& pages = move.session->pages[move.ratio_class];
    pages.pop_back();
    if (move.rows > 0) {
      pools_[move.ratio_class].share(move.from);  // others still hold it
      pages.push_back(move.from);
      set_entry(move.ratio_class, *move.session, move.index);
    }
    pools_[move.ratio_class].release(move.to);
  }
  moves_.clear();
}

Result<void> KvStore::fill(SessionState& session, std::uint32_t tokens) {
  DS4_ASSERT(session.position == 0);
  const PageDemand wanted = demand_instead(session, tokens);
  if (!wanted.fits()) return shortage(wanted, "the saved session");
  for (std::size_t c = 0; c < pools_.size(); ++c) {
    const std::uint32_t pages = pages_for(tokens, layout_.classes[c].ratio.ratio);
    while (pools_[c].free_pages() < pages) drop_point(*points_.victim(sessions_));
    for (std::uint32_t i = 0; i < pages; ++i) take_page(c, session);
  }
  return {};
}

}  // namespace ds4
