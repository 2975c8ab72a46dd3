#include "kv/snapshot.hpp"

#include <algorithm>
#include <cstring>

#include "kv/checksum.hpp"
#include "kv/little_endian.hpp"

namespace ds4 {
namespace {

constexpr std::size_t kHeaderChecksumBytes = 8;
constexpr std::size_t kHeaderChecksumAt = kSnapshotHeaderBytes - kHeaderChecksumBytes;
constexpr std::size_t kSampledBytes = 4096;  // of each tensor: one page of the mapped file
constexpr std::uint32_t kLayerWords = 3;     // ratio, compressed rows, index rows

std::uint32_t compressed_rows(const LayerStorage& layer, std::uint32_t position) {
  return layer.ratio == 0 ? 0 : position / layer.ratio;
}

std::uint32_t index_rows(const LayerStorage& layer, std::uint32_t position) {
  return layer.index_pool.row_bytes == 0 ? 0 : compressed_rows(layer, position);
}

/// More than the rows of any frontier and its entry of the table take.
std::uint64_t most_frontier_bytes(const SnapshotShape& shape) {
  std::uint64_t bytes = sizeof(std::uint32_t);
  for (const LayerStorage& layer : shape.layers) {
    bytes += shape.window * layer.ring.row_bytes;
    if (layer.ratio == 0) continue;
    bytes += shape.spans[layer.ratio_class] * (layer.pairs.row_bytes + layer.index_pairs.row_bytes);
  }
  return bytes;
}

/// A field of the header that has to be what this model has.
struct ShapeField {
  const char* name;
  std::uint32_t SnapshotShape::*value;
};
constexpr ShapeField kShapeFields[] = {
    {"window rows", &SnapshotShape::window},
    {"a head width", &SnapshotShape::head_dim},
    {"rotated dimensions", &SnapshotShape::rot_dim},
    {"an indexer width", &SnapshotShape::index_dim},
    {"a vocabulary size", &SnapshotShape::vocab},
};

}  // namespace

ModelIdentity identify(const ModelFile& model) {
  ModelIdentity out;
  out.directory = model.gguf().header_hash();
  Checksum sum;
  for (const TensorInfo& tensor : model.gguf().tensors()) {
    const std::span<const std::byte> bytes = model.bytes(tensor);
    sum.add(bytes.first(std::min(bytes.size(), kSampledBytes)));
  }
  out.weights = sum.value();
  return out;
}

SnapshotShape::SnapshotShape(const ModelConfig& config, const KvLayout& layout,
                             const ModelIdentity& identity)
    : model(identity),
      context(layout.limits.context),
      vocab(config.vocab),
      window(config.window),
      head_dim(config.head_dim),
      rot_dim(config.rot_dim),
      index_dim(config.index_dim),
      switches((layout.roundings.kv_fp8 ? 1U : 0U) | (layout.roundings.row_storage ? 2U : 0U) |
               (layout.roundings.index_fp4 ? 4U : 0U)),
      layers(layout.layers()) {
  for (const KvLayout::Class& entry : layout.classes) spans.push_back(entry.ratio.span);
}

FrontierRows window_rows(const SnapshotShape& shape, std::uint32_t position) {
  const std::uint32_t count = std::min(position, shape.window);
  return {position - count, count};
}

FrontierRows pair_rows(const SnapshotShape& shape, const LayerStorage& layer,
                       std::uint32_t position) {
  const std::uint32_t begin = position / layer.ratio * layer.ratio;
  const std::uint32_t overlap = shape.spans[layer.ratio_class] - layer.ratio;
  const std::uint32_t first = begin > overlap ? begin - overlap : 0;
  return {first, position - first};
}

SnapshotLayout::SnapshotLayout(const SnapshotShape& shape, std::uint32_t tokens,
                               std::span<const std::uint32_t> frontiers) {
  const std::size_t layers = shape.layers.size();
  std::uint64_t at = kSnapshotHeaderBytes;
  const auto take = [&at](std::uint64_t count, std::uint64_t size) {
    const std::uint64_t place = at;
    at += count * size;
    return place;
  };
  take(frontiers.size() + kLayerWords * layers, sizeof(std::uint32_t));
  tokens_at = take(tokens, sizeof(std::int32_t));
  for (const LayerStorage& layer : shape.layers) {
    rows_at.push_back(take(compressed_rows(layer, tokens), layer.pool.row_bytes));
    index_rows_at.push_back(take(index_rows(layer, tokens), layer.index_pool.row_bytes));
  }
  for (const std::uint32_t position : frontiers) {
    std::vector<Frontier> places;
    for (const LayerStorage& layer : shape.layers) {
      Frontier place;
      place.window = take(window_rows(shape, position).count, layer.ring.row_bytes);
      if (layer.ratio != 0) {
        const std::uint32_t pairs = pair_rows(shape, layer, position).count;
        place.pairs = take(pairs, layer.pairs.row_bytes);
        place.index_pairs = take(pairs, layer.index_pairs.row_bytes);
      }
      places.push_back(place);
    }
    frontiers_at.push_back(std::move(places));
  }
  bytes = at + kSnapshotChecksumBytes;
}

std::vector<std::byte> snapshot_head(const SnapshotShape& shape,
                                     std::span<const std::int32_t> tokens,
                                     std::span<const std::uint32_t> frontiers) {
  const SnapshotLayout layout(shape, static_cast<std::uint32_t>(tokens.size()), frontiers);
  LittleEndianWriter out;
  out.bytes(std::as_bytes(std::span(kSnapshotMagic)));
  out.u32(kSnapshotVersion);
  out.u32(kSnapshotHeaderBytes);
  out.u64(layout.bytes);
  out.u32(static_cast<std::uint32_t>(tokens.size()));
  out.u32(static_cast<std::uint32_t>(frontiers.size()));
  out.bytes(shape.model.directory);
  out.u64(shape.model.weights);
  out.u32(static_cast<std::uint32_t>(shape.layers.size()));
  for (const ShapeField& field : kShapeFields) out.u32(shape.*field.value);
  out.u32(shape.switches);
  while (out.size() < kHeaderChecksumAt) out.u32(0);
  out.u64(Checksum::of(out.written()));
  for (const std::uint32_t position : frontiers) out.u32(position);
  for (const LayerStorage& layer : shape.layers) {
    out.u32(layer.ratio);
    out.u32(compressed_rows(layer, static_cast<std::uint32_t>(tokens.size())));
    out.u32(index_rows(layer, static_cast<std::uint32_t>(tokens.size())));
  }
  for (const std::int32_t token : tokens) out.u32(static_cast<std::uint32_t>(token));
  return std::move(out).take();
}

Result<SnapshotHeader> read_snapshot_header(std::span<const std::byte> head,
                                            std::uint64_t file_bytes, const SnapshotShape& shape,
                                            std::string_view name) {
  const auto bad = [name](const auto&... parts) { return fail(Errc::bad_file, parts...).in(name); };
  const auto other = [name](const auto&... parts) {
    return fail(Errc::unsupported, parts...).in(name);
  };
  if (head.size() < kSnapshotMagic.size() ||
      std::memcmp(head.data(), kSnapshotMagic.data(), kSnapshotMagic.size()) != 0) {
    return bad("is no saved session; --kv-save writes them");
  }
  if (head.size() < kSnapshotHeaderBytes) {
    return bad("ends after ", head.size(), " of the ", kSnapshotHeaderBytes,
               " bytes of its header; save the session again");
  }
  LittleEndianReader in(
      head.subspan(kSnapshotMagic.size(), kSnapshotHeaderBytes - kSnapshotMagic.size()));
  const std::uint32_t version = in.u32();
  if (version != kSnapshotVersion) {
    return other("is a saved session of version ", version, ", this program reads version ",
                 kSnapshotVersion, "; save the session again with it");
  }
  const std::uint64_t expected_sum = LittleEndianReader(head.subspan(kHeaderChecksumAt, 8)).u64();
  const std::uint32_t header_bytes = in.u32();
  if (Checksum::of(head.first(kHeaderChecksumAt)) != expected_sum ||
      header_bytes != kSnapshotHeaderBytes) {
    return bad("the header is damaged (its checksum differs); save the session again");
  }
  SnapshotHeader out;
  out.bytes = in.u64();
  out.tokens = in.u32();
  out.frontiers = in.u32();
  if (out.bytes != file_bytes) {
    return bad("holds ", file_bytes, " bytes, its header says ", out.bytes,
               "; save the session again");
  }
  ModelIdentity model;
  in.bytes(model.directory);
  model.weights = in.u64();
  if (model.directory != shape.model.directory) {
    return other(
        "was saved with another model file (its metadata or tensors differ); load it with "
        "the model that saved it");
  }
  if (model.weights != shape.model.weights) {
    return other(
        "was saved with a model file of the same layout but other weights; load it with "
        "the model that saved it");
  }
  const std::uint32_t layers = in.u32();
  if (layers != shape.layers.size()) {
    return other("has ", layers, " layers, this model has ", shape.layers.size());
  }
  for (const ShapeField& field : kShapeFields) {
    if (const std::uint32_t value = in.u32(); value != shape.*field.value) {
      return other("was saved with ", field.name, " of ", value, ", this model has ",
                   shape.*field.value);
    }
  }
  if (const std::uint32_t switches = in.u32(); switches != shape.switches) {
    return other("keeps its rows in another format (switches ", switches, ", here ", shape.switches,
                 "); load it with the roundings it was saved with");
  }
  while (in.left() > kHeaderChecksumBytes) {
    if (in.u32() != 0) return other("uses fields that this program does not know; save it again");
  }
  if (out.tokens > shape.context) {
    return fail(Errc::out_of_memory, "has ", out.tokens, " tokens, the context holds ",
                shape.context, "; raise --ctx")
        .in(name);
  }
  if (out.tokens == 0 || out.frontiers == 0 || out.frontiers > kMostFrontiers) {
    return bad("has ", out.tokens, " tokens and ", out.frontiers, " states, possible are 1..",
               shape.context, " and 1..", kMostFrontiers, "; save the session again");
  }
  const std::uint64_t most =
      SnapshotLayout(shape, out.tokens, {}).bytes + out.frontiers * most_frontier_bytes(shape);
  if (out.bytes > most) {
    return bad("is ", out.bytes, " bytes long, more than ", out.tokens,
               " tokens can need; save the session again");
  }
  return out;
}

Result<SnapshotView> SnapshotView::read(std::span<const std::byte> bytes,
                                        const SnapshotShape& shape, std::string_view name) {
  DS4_TRY(const SnapshotHeader header, read_snapshot_header(bytes, bytes.size(), shape, name));
  const auto bad = [name](const auto&... parts) {
    return fail(Errc::bad_file, parts..., "; save the session again").in(name);
  };
  const std::uint64_t tables =
      std::uint64_t{header.frontiers + kLayerWords * shape.layers.size()} * sizeof(std::uint32_t);
  const std::uint64_t least = kSnapshotHeaderBytes + tables +
                              std::uint64_t{header.tokens} * sizeof(std::int32_t) +
                              kSnapshotChecksumBytes;
  if (bytes.size() < least) {
    return bad("holds ", bytes.size(), " bytes, its tables and tokens alone need ", least);
  }
  const std::span<const std::byte> body = bytes.first(bytes.size() - kSnapshotChecksumBytes);
  if (LittleEndianReader(bytes.subspan(body.size())).u64() != Checksum::of(body)) {
    return bad("is damaged (the checksum of its ", bytes.size(), " bytes differs)");
  }
  LittleEndianReader in(bytes.subspan(kSnapshotHeaderBytes));
  std::vector<std::uint32_t> frontiers;
  for (std::uint32_t i = 0; i < header.frontiers; ++i) {
    const std::uint32_t position = in.u32();
    if (position <= (i == 0 ? 0 : frontiers.back()) || position > header.tokens) {
      return bad("state ", i, " is at position ", position, ", out of order or past ",
                 header.tokens);
    }
    frontiers.push_back(position);
  }
  if (frontiers.back() != header.tokens) {
    return bad("its last state is at ", frontiers.back(), ", its tokens end at ", header.tokens);
  }
  for (std::size_t layer = 0; layer < shape.layers.size(); ++layer) {
    const LayerStorage& storage = shape.layers[layer];
    const std::uint32_t ratio = in.u32();
    const std::uint32_t rows = in.u32();
    const std::uint32_t index = in.u32();
    if (ratio != storage.ratio || rows != compressed_rows(storage, header.tokens) ||
        index != index_rows(storage, header.tokens)) {
      return bad("layer ", layer, " has ratio ", ratio, " with ", rows, " rows and ", index,
                 " index rows, ", header.tokens, " tokens of this model give ratio ", storage.ratio,
                 " with ", compressed_rows(storage, header.tokens), " and ",
                 index_rows(storage, header.tokens));
    }
  }
  SnapshotView view{&shape, bytes, {}, frontiers, SnapshotLayout(shape, header.tokens, frontiers)};
  if (view.layout.bytes != bytes.size()) {
    return bad("is ", bytes.size(), " bytes long, ", header.tokens, " tokens in ", header.frontiers,
               " states need ", view.layout.bytes);
  }
  view.tokens.reserve(header.tokens);
  for (std::uint32_t i = 0; i < header.tokens; ++i) {
    const std::uint32_t token = in.u32();
    if (token >= shape.vocab) {
      return bad("token ", i, " is ", token, ", the vocabulary has ", shape.vocab);
    }
    view.tokens.push_back(static_cast<std::int32_t>(token));
  }
  return view;
}

}  // namespace ds4
