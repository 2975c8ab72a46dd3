#include "layouts.hpp"

#include <cstring>

namespace ds4::fast {
namespace {

constexpr std::uint32_t kLanes = 16;

std::uint32_t word_at(const std::byte* p) noexcept {
  std::uint32_t word;
  std::memcpy(&word, p, 4);
  return word;
}
void put_word(std::byte* p, std::uint32_t word) noexcept {
  std::memcpy(p, &word, 4);
}

/// A format whose tile is a sequence of pieces, each holding `bytes` of every lane's block one lane
/// after another. Walks a tile and calls move(lane, block, offset in the block, offset in the tile,
/// bytes) for each piece of each lane; stops at one lane and block when asked to.
template <class Format>
struct Tiles {
  static constexpr std::uint32_t kTileBlock = kLanes * Format::kBlockBytes;

  /// Where block b's own part of a tile begins, and where its scales do: blocks that come in pairs
  /// have the scales of both first.
  struct Place {
    std::uint64_t scales;
    std::uint64_t rest;
  };
  static Place place(std::uint64_t block, std::uint64_t blocks) noexcept {
    if (!Format::kPairs) return {block * kTileBlock, block * kTileBlock + Format::kScaleBytes};
    const std::uint64_t pair = block / 2 * 2 * kTileBlock;
    const bool is_alone = block % 2 == 0 && block + 1 == blocks;
    const std::uint64_t first = pair + (is_alone ? 1 : 2) * std::uint64_t{Format::kScaleBytes};
    return {pair + block % 2 * Format::kScaleBytes,
            first + block % 2 * std::uint64_t{kTileBlock - Format::kScaleBytes}};
  }

  static void pack(const std::byte* source, std::uint64_t row_bytes, std::byte* out) noexcept {
    const std::uint64_t blocks = row_bytes / Format::kBlockBytes;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      const Place at = place(b, blocks);
      for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
        Format::pack(source + lane * row_bytes + b * Format::kBlockBytes, lane, out + at.scales,
                     out + at.rest);
      }
    }
  }

  static void unpack_block(const std::byte* tile, std::uint64_t row_bytes, std::uint32_t lane,
                           std::uint64_t block, std::byte* out) noexcept {
    const Place at = place(block, row_bytes / Format::kBlockBytes);
    Format::unpack(tile + at.scales, tile + at.rest, lane, out);
  }
};

struct Q8 {
  static constexpr std::uint32_t kBlockBytes = 34;
  static constexpr std::uint32_t kScaleBytes = 2 * kLanes;
  static constexpr bool kPairs = true;
  static constexpr std::uint32_t kBias = 0x80808080u;

  static void pack(const std::byte* block, std::uint32_t lane, std::byte* scales,
                   std::byte* rest) noexcept {
    std::memcpy(scales + 2 * lane, block, 2);
    for (std::uint32_t g = 0; g < 8; ++g) {
      put_word(rest + 64 * g + 4 * lane, word_at(block + 2 + 4 * g) ^ kBias);
    }
  }
  static void unpack(const std::byte* scales, const std::byte* rest, std::uint32_t lane,
                     std::byte* block) noexcept {
    std::memcpy(block, scales + 2 * lane, 2);
    for (std::uint32_t g = 0; g < 8; ++g) {
      put_word(block + 2 + 4 * g, word_at(rest + 64 * g + 4 * lane) ^ kBias);
    }
  }
};

struct Half {
  static constexpr std::uint32_t kBlockBytes = 2;
  static constexpr std::uint32_t kScaleBytes = 0;
  static constexpr bool kPairs = false;

  static void pack(const std::byte* block, std::uint32_t lane, std::byte*,
                   std::byte* rest) noexcept {
    std::memcpy(rest + 2 * lane, block, 2);
  }
  static void unpack(const std::byte*, const std::byte* rest, std::uint32_t lane,
                     std::byte* block) noexcept {
    std::memcpy(block, rest + 2 * lane, 2);
  }
};

struct Q2K {
  static constexpr std::uint32_t kBlockBytes = 84;
  static constexpr std::uint32_t kScaleBytes = 4 * kLanes;
  static constexpr bool kPairs = false;

  static void pack(const std::byte* block, std::uint32_t lane, std::byte* scales,
                   std::byte* rest) noexcept {
    std::memcpy(scales + 2 * lane, block + 80, 2);
    std::memcpy(scales + 2 * kLanes + 2 * lane, block + 82, 2);
    for (std::uint32_t g = 0; g < 20; ++g) {
      put_word(rest + 64 * g + 4 * lane, word_at(block + 4 * g));
    }
  }
  static void unpack(const std::byte* scales, const std::byte* rest, std::uint32_t lane,
                     std::byte* block) noexcept {
    std::memcpy(block + 80, scales + 2 * lane, 2);
    std::memcpy(block + 82, scales + 2 * kLanes + 2 * lane, 2);
    for (std::uint32_t g = 0; g < 20; ++g) {
      put_word(block + 4 * g, word_at(rest + 64 * g + 4 * lane));
    }
  }
};

struct Iq2Xxs {
  static constexpr std::uint32_t kBlockBytes = 66;
  static constexpr std::uint32_t kScaleBytes = 2 * kLanes;
  static constexpr bool kPairs = true;

  static void pack(const std::byte* block, std::uint32_t lane, std::byte* scales,
                   std::byte* rest) noexcept {
    std::memcpy(scales + 2 * lane, block, 2);
    for (std::uint32_t g = 0; g < 16; ++g) {
      put_word(rest + 64 * g + 4 * lane, word_at(block + 2 + 4 * g));
    }
  }
  static void unpack(const std::byte* scales, const std::byte* rest, std::uint32_t lane,
                     std::byte* block) noexcept {
    std::memcpy(block, scales + 2 * lane, 2);
    for (std::uint32_t g = 0; g < 16; ++g) {
      put_word(block + 2 + 4 * g, word_at(rest + 64 * g + 4 * lane));
    }
  }
};

template <class Format>
constexpr cpu::WeightLayout make_layout(const char* name) noexcept {
  return {name, kLanes, Tiles<Format>::pack, Tiles<Format>::unpack_block};
}

constexpr cpu::WeightLayout kQ8 = make_layout<Q8>("q8_0 x 16");
constexpr cpu::WeightLayout kHalf = make_layout<Half>("f16 x 16");
constexpr cpu::WeightLayout kQ2K = make_layout<Q2K>("q2_k x 16");
constexpr cpu::WeightLayout kIq2Xxs = make_layout<Iq2Xxs>("iq2_xxs x 16");

}  // namespace

const cpu::WeightLayout* layout_of(const ds4_weight_desc& desc) noexcept {
  switch (desc.role) {
    case DS4_ROLE_MATRIX:
    case DS4_ROLE_GROUPED:
    case DS4_ROLE_EXPERT_GATE:
    case DS4_ROLE_EXPERT_UP:
    case DS4_ROLE_EXPERT_DOWN:
    case DS4_ROLE_OUTPUT_HEAD:
    case DS4_ROLE_HC_MIX:
    case DS4_ROLE_ROUTER:
      break;
    default:
      return nullptr;  // read by rows, or small
  }
  switch (desc.dtype) {
    case DS4_DTYPE_Q8_0:
      return &kQ8;
    case DS4_DTYPE_F16:
      return &kHalf;
    case DS4_DTYPE_Q2_K:
      return &kQ2K;
    case DS4_DTYPE_IQ2_XXS:
      return &kIq2Xxs;
    default:
      return nullptr;
  }
}

}  // namespace ds4::fast
