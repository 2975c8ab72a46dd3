#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tokenizer/vocabulary.hpp"

namespace ds4 {

/// The merges of a vocabulary as a hash table from symbol pairs; immutable, thread-safe.
class MergeTable {
 public:
  struct Entry {
    std::uint32_t rank;
    std::int32_t result;
  };
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFFU;

  explicit MergeTable(const std::vector<Merge>& merges);
  /// The merge of two neighbours; rank kNoRank if there is none.
  [[nodiscard]] Entry find(std::int32_t left, std::int32_t right) const noexcept;

 private:
  [[nodiscard]] std::size_t slot(std::uint64_t key) const noexcept;
  std::vector<std::uint64_t> keys_;
  std::vector<Entry> entries_;
  unsigned shift_ = 0;
};

/// Byte-level BPE of single pieces.
class BytePairEncoder {
 public:
  /// Reused between pieces so that encoding a text allocates little; one per thread.
  struct Scratch {
    struct Node {
      std::int32_t symbol;
      std::uint32_t previous;
      std::uint32_t next;
    };
    struct Candidate {
      std::uint32_t rank;
      std::uint32_t left;
      std::int32_t left_symbol;
      std::int32_t right_symbol;
      std::int32_t result;
    };
    std::vector<Node> nodes;
    std::vector<Candidate> heap;
  };

  /// Borrows the vocabulary.
  explicit BytePairEncoder(const Vocabulary& vocabulary);

  /// Appends the ids of one piece: merges the pair of lowest rank, leftmost on equal rank, until no
  /// pair has a rank. O(n log n). A final symbol that is no token falls back to its bytes.
  /// Errors: bad_file if a byte has no token; invalid_argument for a piece of 4 GiB or more.
  Result<void> encode(std::string_view piece, std::vector<std::int32_t>& out,
                      Scratch& scratch) const;

 private:
  void merge_short(std::string_view piece, Scratch& scratch) const;
  void merge_long(std::string_view piece, Scratch& scratch) const;
  Result<void> emit(std::int32_t symbol, std::vector<std::int32_t>& out) const;
  [[nodiscard]] std::int32_t symbol_of(char byte) const noexcept;

  const Vocabulary& vocabulary_;
  MergeTable merges_;
  // Tokens that merging their own bytes gives back: a piece that equals one needs no merging.
  std::vector<std::uint8_t> is_stable_;
  std::size_t longest_ = 0;
};

}  // namespace ds4
