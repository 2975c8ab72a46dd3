#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace ds4 {
namespace {

constexpr std::uint64_t kEmptyKey = ~std::uint64_t{0};  // no symbol is negative
constexpr std::uint32_t kNone = 0xFFFFFFFFU;

// Up to this length scanning an array for the lowest rank beats a heap: both fit the first cache
// level, and the scan has no bookkeeping. The results are the same.
constexpr std::size_t kShortPiece = 64;

std::uint64_t key_of(std::int32_t left, std::int32_t right) noexcept {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
         static_cast<std::uint32_t>(right);
}

// Heap order: lowest rank on top, leftmost first on equal rank.
bool comes_later(const BytePairEncoder::Scratch::Candidate& a,
                 const BytePairEncoder::Scratch::Candidate& b) noexcept {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
}

}  // namespace

MergeTable::MergeTable(const std::vector<Merge>& merges) {
  unsigned bits = 4;
  while ((std::size_t{1} << bits) < merges.size() * 2) ++bits;
  shift_ = 64 - bits;
  keys_.assign(std::size_t{1} << bits, kEmptyKey);
  entries_.assign(keys_.size(), Entry{kNoRank, -1});
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::uint64_t key = key_of(merges[rank].left, merges[rank].right);
    const std::size_t at = slot(key);
    if (keys_[at] == key) continue;  // a repeated merge: the first, better rank counts
    keys_[at] = key;
    entries_[at] = Entry{static_cast<std::uint32_t>(rank), merges[rank].result};
  }
}

std::size_t MergeTable::slot(std::uint64_t key) const noexcept {
  const std::size_t mask = keys_.size() - 1;
  const std::uint64_t mixed = (key ^ (key >> 29U)) * 0x9E3779B97F4A7C15ULL;
  auto at = static_cast<std::size_t>(mixed >> shift_);
  while (keys_[at] != kEmptyKey && keys_[at] != key) at = (at + 1) & mask;
  return at;
}

MergeTable::Entry MergeTable::find(std::int32_t left, std::int32_t right) const noexcept {
  return entries_[slot(key_of(left, right))];
}

BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary)
    : vocabulary_(vocabulary),
      merges_(vocabulary.merges()),
      is_stable_(static_cast<std::size_t>(vocabulary.size()), 0) {
  Scratch scratch;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view bytes = vocabulary.bytes(id);
    if (bytes.empty() || vocabulary.find_normal(bytes) != id || bytes.size() > kShortPiece)
      continue;
    merge_short(bytes, scratch);
    if (scratch.nodes.size() != 1 || scratch.nodes[0].symbol != id) continue;
    is_stable_[static_cast<std::size_t>(id)] = 1;
    longest_ = std::max(longest_, bytes.size());
  }
}

std::int32_t BytePairEncoder::symbol_of(char byte) const noexcept {
  return vocabulary_.byte_symbols()[static_cast<std::uint8_t>(byte)];
}

void BytePairEncoder::merge_short(std::string_view piece, Scratch& scratch) const {
  std::array<std::int32_t, kShortPiece> symbols{};
  std::array<MergeTable::Entry, kShortPiece> pairs{};
  std::size_t n = piece.size();
  for (std::size_t i = 0; i < n; ++i) symbols[i] = symbol_of(piece[i]);
  for (std::size_t i = 0; i + 1 < n; ++i) pairs[i] = merges_.find(symbols[i], symbols[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == MergeTable::kNoRank) break;
    symbols[best] = pairs[best].result;
    for (std::size_t i = best + 1; i + 1 < n; ++i) symbols[i] = symbols[i + 1];
    for (std::size_t i = best + 1; i + 2 < n; ++i) pairs[i] = pairs[i + 1];
    --n;
    if (best > 0) pairs[best - 1] = merges_.find(symbols[best - 1], symbols[best]);
    if (best + 1 < n) pairs[best] = merges_.find(symbols[best], symbols[best + 1]);
  }
  scratch.nodes.clear();
  for (std::size_t i = 0; i < n; ++i) scratch.nodes.push_back({symbols[i], kNone, kNone});
}

void BytePairEncoder::merge_long(std::string_view piece, Scratch& scratch) const {
  auto& nodes = scratch.nodes;
  auto& heap = scratch.heap;
  nodes.clear();
  heap.clear();
  const auto count = static_cast<std::uint32_t>(piece.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    nodes.push_back({symbol_of(piece[i]), i == 0 ? kNone : i - 1, i + 1 < count ? i + 1 : kNone});
  }
  const auto consider = [&](std::uint32_t left) {
    if (left == kNone || nodes[left].next == kNone) return false;
    const std::int32_t a = nodes[left].symbol;
    const std::int32_t b = nodes[nodes[left].next].symbol;
    const MergeTable::Entry entry = merges_.find(a, b);
    if (entry.rank == MergeTable::kNoRank) return false;
    heap.push_back({entry.rank, left, a, b, entry.result});
    return true;
  };
  const auto push = [&](std::uint32_t left) {
    if (consider(left)) std::push_heap(heap.begin(), heap.end(), comes_later);
  };
  for (std::uint32_t i = 0; i < count; ++i) consider(i);
  std::make_heap(heap.begin(), heap.end(), comes_later);
  constexpr std::int32_t kGone = -1;
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), comes_later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    Scratch::Node& left = nodes[best.left];
    // Entries whose pair has changed since are stale; the pair that is there now has its own entry.
    if (left.symbol != best.left_symbol || left.next == kNone ||
        nodes[left.next].symbol != best.right_symbol) {
      continue;
    }
    Scratch::Node& right = nodes[left.next];
    left.symbol = best.result;
    right.symbol = kGone;
    left.next = right.next;
    if (left.next != kNone) nodes[left.next].previous = best.left;
    push(left.previous);
    push(best.left);
  }
  std::erase_if(nodes, [](const Scratch::Node& node) { return node.symbol == kGone; });
}

Result<void> BytePairEncoder::emit(std::int32_t symbol, std::vector<std::int32_t>& out) const {
  if (vocabulary_.contains(symbol)) {
    out.push_back(symbol);
    return {};
  }
  for (const char byte : vocabulary_.symbol_bytes(symbol)) {
    const std::int32_t id = symbol_of(byte);
    if (!vocabulary_.contains(id)) {
      return fail(Errc::bad_file, "the vocabulary has no token for byte ",
                  static_cast<unsigned>(static_cast<std::uint8_t>(byte)),
                  "; this text can not be encoded with it");
    }
    out.push_back(id);
  }
  return {};
}

Result<void> BytePairEncoder::encode(std::string_view piece, std::vector<std::int32_t>& out,
                                     Scratch& scratch) const {
  if (piece.empty()) return {};
  if (piece.size() >= std::numeric_limits<std::uint32_t>::max()) {
    return fail(Errc::invalid_argument, "a stretch of ", piece.size(),
                " bytes without a break is too long to be encoded; 4294967294 is the most");
  }
  if (piece.size() <= longest_) {
    const auto id = vocabulary_.find_normal(piece);
    if (id && is_stable_[static_cast<std::size_t>(*id)] != 0) {
      out.push_back(*id);
      return {};
    }
  }
  if (piece.size() <= kShortPiece) {
    merge_short(piece, scratch);
  } else {
    merge_long(piece, scratch);
  }
  for (const auto& node : scratch.nodes) DS4_CHECK(emit(node.symbol, out));
  return {};
}

}  // namespace ds4
