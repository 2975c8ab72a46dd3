/// Weights keep the source's own layout, in place where the host's pages stay, or are packed into
/// the backend's layout tile by tile as their bytes arrive. Streamed experts hold no bytes here:
/// the host keeps them, each packed by itself into what the weight's layout would have made of it.
#include <algorithm>
#include <memory>

#include "api.hpp"
#include "dequant.hpp"
#include "personality.hpp"

namespace ds4::cpu {
namespace {

/// Bytes that the description's extents take in its dtype; throws on a description without sense.
std::uint64_t source_bytes(const ds4_weight_desc& desc) {
  const char* name = desc.name != nullptr ? desc.name : "weight";
  if (!sdk::known_dtype(desc.dtype)) {
    throw sdk::failure(DS4_E_UNSUPPORTED, name, ": unknown dtype ", desc.dtype);
  }
  const sdk::BlockShape shape = sdk::block_shape(desc.dtype);
  if (shape.values == 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, name, ": dtype ", sdk::dtype_name(desc.dtype),
                       " is no weight format");
  }
  if (desc.role < DS4_ROLE_EMBEDDING || desc.role > DS4_ROLE_ROUTER) {
    throw sdk::failure(DS4_E_UNSUPPORTED, name, ": unknown role ", desc.role);
  }
  if ((desc.flags & ~DS4_WEIGHT_STREAMED) != 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, name, ": unknown flags in ", desc.flags);
  }
  if (desc.rank < 1 || desc.rank > 4) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, name, ": rank ", desc.rank, " is outside 1..4");
  }
  std::uint64_t rows = 1;
  for (std::uint32_t d = 0; d < desc.rank; ++d) {
    if (desc.extent[d] == 0) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, name, ": extent ", d, " is 0");
    }
    if (d + 1 < desc.rank) rows = sdk::sat_mul(rows, desc.extent[d]);
  }
  const std::uint32_t width = desc.extent[desc.rank - 1];
  if (width % shape.values != 0) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, name, ": rows of ", width,
                       " values are no whole blocks of ", shape.values);
  }
  const std::uint64_t bytes = sdk::sat_mul(rows, std::uint64_t{width} / shape.values * shape.bytes);
  if (bytes != desc.bytes) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, name, ": ", desc.bytes, " bytes where ", bytes,
                       " follow from the extents");
  }
  return bytes;
}

bool is_streamed(const ds4_weight_desc& desc) noexcept {
  return (desc.flags & DS4_WEIGHT_STREAMED) != 0;
}

/// Only experts can be streamed, and only from a host that delivers them.
bool takes(const ds4_host_api& host, const ds4_weight_desc& desc) noexcept {
  if (!is_streamed(desc)) return true;
  const bool is_expert = desc.role == DS4_ROLE_EXPERT_GATE || desc.role == DS4_ROLE_EXPERT_UP ||
                         desc.role == DS4_ROLE_EXPERT_DOWN;
  return is_expert && desc.rank == 3 && is_float_weight(desc.dtype) &&
         DS4_HAS(ds4_host_api, &host, experts_acquire) &&
         DS4_HAS(ds4_host_api, &host, experts_release);
}

/// The layout that a weight gets here; null: the source's own.
const WeightLayout* layout_of(const ds4_weight_desc& desc) noexcept {
  if (personality().layout == nullptr || desc.rank < 2) return nullptr;
  const WeightLayout* layout = personality().layout(desc);
  // A tile lies in one matrix, of which a weight of rank 3 has many.
  if (layout == nullptr || desc.extent[desc.rank - 2] % layout->rows != 0) return nullptr;
  return layout;
}

// Waking the team costs more than the copy of fewer bytes.
constexpr std::uint64_t kSharedBytes = 256U << 10;

/// body(begin, end) over `items` that take `bytes` in all, by the host's team if that is worth it.
template <class Body>
void share_out(const ds4_host_api& host, std::uint64_t items, std::uint64_t bytes, Body&& body) {
  if (bytes >= kSharedBytes) {
    sdk::parallel_for(host, items, body);
  } else if (items > 0) {
    body(std::uint64_t{0}, items);
  }
}

/// Puts a part of one tile where it belongs, and packs the tile if it is whole now: all of it lies
/// in one written piece.
void write_part(ds4_import& import, std::uint64_t begin, std::uint64_t end,
                const std::byte* source) {
  ds4_weight& weight = import.weight;
  const std::uint64_t tile_bytes = import.tile.size();
  const std::uint64_t first = begin / tile_bytes * tile_bytes;
  std::memcpy(weight.owned + begin, source, end - begin);
  const bool is_whole = std::any_of(
      import.pieces.begin(), import.pieces.end(),
      [&](const ds4_import::Piece& p) { return p.begin <= first && first + tile_bytes <= p.end; });
  if (!is_whole) return;
  std::memcpy(import.tile.data(), weight.owned + first, tile_bytes);
  weight.layout->pack(import.tile.data(), weight.row_bytes(), weight.owned + first);
}

/// Puts [begin, end) where it belongs. Tiles that lie in it are packed from the source, each by one
/// thread; what is left over at its ends waits for its neighbours.
void write_bytes(ds4_import& import, std::uint64_t begin, std::uint64_t end,
                 const std::byte* source) {
  ds4_weight& weight = import.weight;
  const ds4_host_api& host = *weight.device->host;
  if (weight.layout == nullptr) {
    share_out(host, end - begin, end - begin, [&](std::uint64_t from, std::uint64_t to) {
      std::memcpy(weight.owned + begin + from, source + from, to - from);
    });
    return;
  }
  const std::uint64_t tile_bytes = import.tile.size();
  const std::uint64_t first = (begin + tile_bytes - 1) / tile_bytes * tile_bytes;
  const std::uint64_t last = end / tile_bytes * tile_bytes;
  if (first > last) {
    write_part(import, begin, end, source);
    return;
  }
  if (begin < first) write_part(import, begin, first, source);
  share_out(host, (last - first) / tile_bytes, last - first,
            [&](std::uint64_t from, std::uint64_t to) {
              const std::uint64_t row_bytes = weight.row_bytes();
              for (std::uint64_t t = from; t < to; ++t) {
                const std::uint64_t at = first + t * tile_bytes;
                weight.layout->pack(source + (at - begin), row_bytes, weight.owned + at);
              }
            });
  if (last < end) write_part(import, last, end, source + (last - begin));
}

/// Adds a written range; throws when a byte comes twice.
void add_piece(ds4_import& import, std::uint64_t begin, std::uint64_t end) {
  auto& pieces = import.pieces;
  auto next = std::lower_bound(pieces.begin(), pieces.end(), begin,
                               [](const auto& p, std::uint64_t at) { return p.begin < at; });
  const bool meets_next = next != pieces.end() && next->begin <= end;
  const bool meets_last = next != pieces.begin() && std::prev(next)->end >= begin;
  if ((next != pieces.end() && next->begin < end) ||
      (next != pieces.begin() && std::prev(next)->end > begin)) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "weight bytes ", begin, " to ", end,
                       " were written before");
  }
  if (meets_next && meets_last) {
    std::prev(next)->end = next->end;
    pieces.erase(next);
  } else if (meets_last) {
    std::prev(next)->end = end;
  } else if (meets_next) {
    next->begin = begin;
  } else {
    pieces.insert(next, {begin, end});
  }
}

/// Whether everything that finish() needs was written: nothing, of streamed experts.
bool has_all(const ds4_import& i) noexcept {
  if (i.weight.is_streamed) return i.pieces.empty();
  return i.pieces.size() == 1 && i.pieces[0].begin == 0 && i.pieces[0].end == i.weight.bytes;
}

void drop(ds4_import* import) noexcept {
  ds4_device& device = *import->weight.device;
  if (import->weight.owned != nullptr) {
    release(*device.host, import->weight.owned);
    device.uncount_bytes(DS4_USAGE_WEIGHTS, import->weight.bytes);
  }
  delete import;
  --device.children;
}

}  // namespace

ds4_status weight_query(ds4_device* device, const ds4_weight_desc* desc, ds4_weight_answer* out,
                        ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_host_api& host = *sdk::need(device, "device").host;
    const ds4_weight_desc& d = sdk::need_struct(desc, "weight description");
    ds4_weight_answer& answer = sdk::need_struct(out, "weight answer");
    const std::uint32_t size = answer.struct_size;
    answer = {};
    answer.struct_size = size;
    sdk::copy_text(answer.fingerprint, personality().fingerprint);
    const std::uint64_t bytes = source_bytes(d);
    answer.accepted = takes(host, d) ? 1 : 0;
    if (answer.accepted == 0) return;
    if (is_streamed(d)) {
      const bool is_down = d.role == DS4_ROLE_EXPERT_DOWN;
      answer.expert_bytes[is_down ? 1 : 0] = bytes / d.extent[0] * (is_down ? 1 : 2);
      return;
    }
    answer.in_place = layout_of(d) == nullptr ? 1 : 0;
    answer.packed_bytes = answer.in_place == 1 ? 0 : d.bytes;
  });
}

ds4_status weight_import_begin(ds4_device* device, const ds4_weight_desc* desc, std::uint32_t flags,
                               ds4_import** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& d = sdk::need(device, "device");
    const ds4_weight_desc& source = sdk::need_struct(desc, "weight description");
    ds4_import*& result = sdk::need(out, "out");
    if ((flags & ~DS4_IMPORT_IN_PLACE) != 0) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "import: unknown flags in ", flags);
    }
    const std::uint64_t bytes = source_bytes(source);
    if (!takes(*d.host, source)) {
      throw sdk::failure(DS4_E_UNSUPPORTED,
                         "only experts of rank 3 are streamed, from a host that delivers them");
    }
    auto made = std::make_unique<ds4_import>();
    made->is_in_place = (flags & DS4_IMPORT_IN_PLACE) != 0;
    made->pieces.reserve(8);
    ds4_weight& weight = made->weight;
    weight.device = device;
    weight.bytes = bytes;
    weight.dtype = source.dtype;
    weight.role = source.role;
    weight.rank = source.rank;
    std::copy_n(source.extent, source.rank, weight.extent.begin());
    weight.layer = source.layer;
    weight.layout = layout_of(source);
    weight.is_streamed = is_streamed(source);
    if (weight.is_streamed && made->is_in_place) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "import: streamed experts have no place");
    }
    if (weight.layout != nullptr && made->is_in_place) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "import: this weight is packed, not used in place");
    }
    if (weight.layout != nullptr) made->tile.resize(weight.layout->rows * weight.row_bytes());
    if (!made->is_in_place && !weight.is_streamed) {
      weight.owned = allocate(*d.host, bytes, "cpu weight");
      weight.data = weight.owned;
      d.count_bytes(DS4_USAGE_WEIGHTS, bytes);
    }
    ++d.children;
    result = made.release();
  });
}

ds4_status weight_import_write(ds4_import* import, std::uint64_t offset, const void* src,
                               std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_import& i = sdk::need(import, "import");
    if (!sdk::fits(offset, bytes, i.weight.bytes)) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "import: ", bytes, " bytes at ", offset,
                         " go beyond a weight of ", i.weight.bytes, " bytes");
    }
    if (i.weight.is_streamed) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "import: streamed experts stay with the host");
    }
    if (bytes == 0) return;
    const auto& first = sdk::need(static_cast<const std::byte*>(src), "source");
    if (i.is_in_place && bytes != i.weight.bytes) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT,
                         "import in place: one write of all bytes is needed, got ", bytes, " of ",
                         i.weight.bytes);
    }
    add_piece(i, offset, offset + bytes);
    if (i.is_in_place) {
      i.weight.data = &first;
    } else {
      write_bytes(i, offset, offset + bytes, &first);
    }
  });
}

ds4_status weight_import_finish(ds4_import* import, ds4_weight** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_import& i = sdk::need(import, "import");
    const bool is_whole = has_all(i);
    if (out == nullptr || !is_whole) {
      const std::uint64_t bytes = i.weight.bytes;
      drop(import);
      sdk::need(out, "out");
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "import: not all of ", bytes,
                         " bytes were written");
    }
    std::unique_ptr<ds4_weight> made;
    try {
      made = std::make_unique<ds4_weight>(i.weight);
    } catch (...) {
      drop(import);
      throw;
    }
    delete import;  // the weight takes its bytes and its place among the device's children
    *out = made.release();
  });
}

void weight_import_abort(ds4_import* import) {
  if (import != nullptr) drop(import);
}

void weight_destroy(ds4_weight* weight) {
  if (weight == nullptr) return;
  ds4_device& device = *weight->device;
  if (weight->owned != nullptr) {
    release(*device.host, weight->owned);
    device.uncount_bytes(DS4_USAGE_WEIGHTS, weight->bytes);
  }
  delete weight;
  --device.children;
}

ds4_status weight_pack_expert(const ds4_weight_desc* desc, std::uint32_t expert, const void* src,
                              void* dst, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_weight_desc& d = sdk::need_struct(desc, "weight description");
    const auto* from = &sdk::need(static_cast<const std::byte*>(src), "source");
    auto* to = &sdk::need(static_cast<std::byte*>(dst), "target");
    const std::uint64_t bytes = source_bytes(d);
    if (d.rank != 3 || expert >= d.extent[0]) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "there is no expert ", expert, " to pack");
    }
    const std::uint64_t expert_bytes = bytes / d.extent[0];
    const WeightLayout* layout = layout_of(d);
    if (layout == nullptr) {
      std::memcpy(to, from, expert_bytes);
      return;
    }
    const std::uint64_t row_bytes = expert_bytes / d.extent[1];
    const std::uint64_t tile_bytes = layout->rows * row_bytes;
    for (std::uint64_t at = 0; at < expert_bytes; at += tile_bytes) {
      layout->pack(from + at, row_bytes, to + at);
    }
  });
}

}  // namespace ds4::cpu
