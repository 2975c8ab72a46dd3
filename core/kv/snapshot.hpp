#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kv/kv_layout.hpp"
#include "model/model_file.hpp"

namespace ds4 {

/// The file of a saved session; docs/sessions.md has the layout byte by byte. Integers are
/// little-endian.
inline constexpr std::string_view kSnapshotMagic = "DS4STATE";  ///< the first bytes of a file
inline constexpr std::uint32_t kSnapshotVersion = 1;
inline constexpr std::uint32_t kSnapshotHeaderBytes = 128;
inline constexpr std::uint32_t kSnapshotChecksumBytes =
    8;  ///< at the end: XXH3-64 of what is before
inline constexpr std::uint32_t kMostFrontiers = 64;

/// Which weights a state belongs to.
struct ModelIdentity {
  std::array<std::byte, 32> directory{};  ///< SHA-256 of the file's metadata and directory
  std::uint64_t weights = 0;              ///< XXH3-64 of the first bytes of every tensor
  bool operator==(const ModelIdentity&) const = default;
};

/// Reads one page of every tensor.
[[nodiscard]] ModelIdentity identify(const ModelFile& model);

/// What decides how a session of a model is stored, whatever the backend, slots and pages are.
struct SnapshotShape {
  SnapshotShape() = default;
  SnapshotShape(const ModelConfig& config, const KvLayout& layout, const ModelIdentity& identity);

  ModelIdentity model;
  std::uint32_t context = 0;  ///< most tokens that a session can take
  std::uint32_t vocab = 0;
  std::uint32_t window = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t rot_dim = 0;
  std::uint32_t index_dim = 0;
  std::uint32_t switches = 0;  ///< bit 0 kv_fp8, 1 row_storage, 2 index_fp4
  std::vector<LayerStorage> layers;
  std::vector<std::uint32_t> spans;  ///< by ratio class: pairs that a compressed row pools
};

/// A state at one position: what only that position has (pages are shared by all positions before).
struct FrontierRows {
  std::uint32_t first = 0;  ///< position of the first row
  std::uint32_t count = 0;
};
/// The last min(position, W) rows.
[[nodiscard]] FrontierRows window_rows(const SnapshotShape& shape, std::uint32_t position);
/// The pairs of model.md 4.1: those of the unfinished compressed row, and where windows overlap of
/// the row before it.
[[nodiscard]] FrontierRows pair_rows(const SnapshotShape& shape, const LayerStorage& layer,
                                     std::uint32_t position);

/// Sizes and places in the file for one number of tokens and one list of frontiers.
class SnapshotLayout {
 public:
  /// Bytes of the rows of one layer at one frontier, one kind behind the other.
  struct Frontier {
    std::uint64_t window = 0, pairs = 0, index_pairs = 0;  ///< file offsets
  };
  /// `frontiers`: positions, ascending, the last is `tokens`. All within the shape's context.
  SnapshotLayout(const SnapshotShape& shape, std::uint32_t tokens,
                 std::span<const std::uint32_t> frontiers);

  std::uint64_t tokens_at = 0;
  std::vector<std::uint64_t> rows_at, index_rows_at;  ///< by layer
  std::vector<std::vector<Frontier>> frontiers_at;    ///< by frontier and layer
  std::uint64_t bytes = 0;                            ///< of the file, checksum included
};

/// Header, tables and tokens: everything before the first row.
[[nodiscard]] std::vector<std::byte> snapshot_head(const SnapshotShape& shape,
                                                   std::span<const std::int32_t> tokens,
                                                   std::span<const std::uint32_t> frontiers);

/// What the header alone says, checked against the shape.
struct SnapshotHeader {
  std::uint64_t bytes = 0;      ///< of the whole file
  std::uint32_t tokens = 0;     ///< 1..context
  std::uint32_t frontiers = 0;  ///< 1..kMostFrontiers
};
/// Reads the first kSnapshotHeaderBytes of a file that has `file_bytes`. Every field is checked
/// before it is used, and the size is then no more than so many tokens and frontiers can need.
/// `name` stands in errors.
/// Errors: bad_file (no such file, damaged, cut short), unsupported (another version, model or row
/// format), out_of_memory (more tokens than the context).
Result<SnapshotHeader> read_snapshot_header(std::span<const std::byte> head,
                                            std::uint64_t file_bytes, const SnapshotShape& shape,
                                            std::string_view name);

/// A checked snapshot over the caller's bytes and shape.
struct SnapshotView {
  const SnapshotShape* shape = nullptr;
  std::span<const std::byte> bytes;
  std::vector<std::int32_t> tokens;
  std::vector<std::uint32_t> frontiers;
  SnapshotLayout layout;

  /// Checks header, checksum, tables and token ids; nothing that it returns needs checking again.
  /// Errors: as read_snapshot_header().
  static Result<SnapshotView> read(std::span<const std::byte> bytes, const SnapshotShape& shape,
                                   std::string_view name);
};

}  // namespace ds4
