#include "tests/support/damaged_snapshots.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace ds4::test {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kHeader = 128;
constexpr std::size_t kVersionAt = 8, kHeaderBytesAt = 12, kFileBytesAt = 16, kTokensAt = 24,
                      kStatesAt = 28, kDirectoryAt = 32, kWeightsAt = 64, kLayersAt = 72,
                      kWindowAt = 76, kHeadAt = 80, kRotatedAt = 84, kIndexAt = 88,
                      kVocabularyAt = 92, kSwitchesAt = 96, kReservedAt = 100, kHeaderSumAt = 120;

template <class Number>
Number get(const Bytes& bytes, std::size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class Number>
void put(Bytes& bytes, std::size_t at, Number value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

Bytes sealed(Bytes bytes) {
  if (bytes.size() < kHeader) return bytes;
  put<std::uint64_t>(bytes, kHeaderSumAt, XXH3_64bits(bytes.data(), kHeaderSumAt));
  if (bytes.size() >= kHeader + 8) {
    put<std::uint64_t>(bytes, bytes.size() - 8, XXH3_64bits(bytes.data(), bytes.size() - 8));
  }
  return bytes;
}

/// Where the parts of a good file begin.
struct Parts {
  explicit Parts(const Bytes& good)
      : states(get<std::uint32_t>(good, kStatesAt)),
        layers(get<std::uint32_t>(good, kLayersAt)),
        tokens(get<std::uint32_t>(good, kTokensAt)),
        layers_at(kHeader + 4 * states),
        tokens_at(layers_at + 12 * layers),
        rows_at(tokens_at + 4 * tokens),
        end(good.size() - 8) {}
  std::size_t states, layers, tokens, layers_at, tokens_at, rows_at, end;
};

class Collection {
 public:
  explicit Collection(const Bytes& good) : good_(good) {}

  void add(std::string what, Bytes bytes) { out_.push_back({std::move(what), std::move(bytes)}); }

  void cut(std::size_t size) {
    add("cut after " + std::to_string(size) + " bytes",
        Bytes(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size)));
  }

  /// Cut, with a header that says so and checksums that are right.
  void cut_and_seal(std::size_t size) {
    Bytes bytes(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size));
    put<std::uint64_t>(bytes, kFileBytesAt, size);
    add("honestly cut after " + std::to_string(size) + " bytes", sealed(std::move(bytes)));
  }

  void flip(std::size_t at, unsigned bit) {
    Bytes bytes = good_;
    bytes[at] ^= std::byte{static_cast<unsigned char>(1U << bit)};
    add("bit " + std::to_string(bit) + " of byte " + std::to_string(at), std::move(bytes));
  }

  template <class Number>
  void lie(const char* what, std::size_t at, Number value) {
    Bytes bytes = good_;
    put(bytes, at, value);
    add(std::string(what) + " of " + std::to_string(value), sealed(std::move(bytes)));
  }

  std::vector<DamagedSnapshot> take() && { return std::move(out_); }

 private:
  const Bytes& good_;
  std::vector<DamagedSnapshot> out_;
};

}  // namespace

std::vector<DamagedSnapshot> damaged_snapshots(const std::vector<std::byte>& good) {
  const Parts parts(good);
  Collection all(good);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{31},
        kHeader - 1, kHeader, kHeader + 1, parts.layers_at, parts.tokens_at, parts.tokens_at + 2,
        parts.rows_at, (parts.rows_at + parts.end) / 2, parts.end, good.size() - 1}) {
    all.cut(size);
  }
  for (const std::size_t size : {kHeader, kHeader + 8, parts.layers_at + 8, parts.tokens_at + 8,
                                 parts.rows_at, parts.rows_at + 8, good.size() - 4}) {
    all.cut_and_seal(size);
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  all.add("one byte longer", longer);
  put<std::uint64_t>(longer, kFileBytesAt, longer.size());
  all.add("honestly one byte longer", sealed(longer));

  unsigned bit = 0;
  for (const std::size_t at : {std::size_t{0},
                               std::size_t{7},
                               kVersionAt,
                               kHeaderBytesAt,
                               kFileBytesAt,
                               kTokensAt,
                               kStatesAt,
                               kDirectoryAt,
                               kWeightsAt,
                               kLayersAt,
                               kWindowAt,
                               kSwitchesAt,
                               kReservedAt,
                               kHeaderSumAt,
                               kHeader,
                               parts.layers_at,
                               parts.tokens_at,
                               parts.rows_at,
                               (parts.rows_at + parts.end) / 2,
                               parts.end - 1,
                               parts.end,
                               good.size() - 1}) {
    all.flip(at, bit++ % 8);
  }

  for (const std::uint32_t version : {0U, 2U, 0x80000000U}) all.lie("version", kVersionAt, version);
  all.lie("header bytes", kHeaderBytesAt, 64U);
  for (const std::uint64_t bytes : {0ULL, 1ULL << 63, ~0ULL}) all.lie("size", kFileBytesAt, bytes);
  for (const std::uint32_t tokens :
       {0U, static_cast<std::uint32_t>(parts.tokens) + 1, 0x7fffffffU, 0x80000000U, ~0U}) {
    all.lie("tokens", kTokensAt, tokens);
  }
  for (const std::uint32_t states :
       {0U, static_cast<std::uint32_t>(parts.states) + 1, 65U, 0x80000000U, ~0U}) {
    all.lie("states", kStatesAt, states);
  }
  all.lie("fingerprint", kDirectoryAt, ~0ULL);
  all.lie("weights", kWeightsAt, 1ULL);
  for (const std::uint32_t layers : {0U, 0x80000000U, ~0U}) all.lie("layers", kLayersAt, layers);
  for (const std::size_t at : {kWindowAt, kHeadAt, kRotatedAt, kIndexAt, kVocabularyAt}) {
    all.lie("shape", at, get<std::uint32_t>(good, at) * 2);
  }
  all.lie("switches", kSwitchesAt, 0U);
  all.lie("reserved field", kReservedAt, 1U);
  for (const std::uint32_t position : {0U, static_cast<std::uint32_t>(parts.tokens) + 1, ~0U}) {
    all.lie("first state's position", kHeader, position);
  }
  all.lie("last state's position", parts.layers_at - 4,
          static_cast<std::uint32_t>(parts.tokens) - 1);
  const std::size_t last_layer = parts.layers_at + 12 * (parts.layers - 1);
  for (const std::uint32_t value : {0U, 1U, 0x80000000U, ~0U}) {
    all.lie("ratio", last_layer, value);
    all.lie("rows", last_layer + 4, value);
    all.lie("index rows", last_layer + 8, value);
  }
  all.lie("token", parts.tokens_at, -1);
  all.lie("token", parts.rows_at - 4, get<std::uint32_t>(good, kVocabularyAt));
  Bytes noise = good;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<std::byte>((i * 2654435761U) >> 13 & 0xff);
  }
  all.add("noise", noise);
  std::copy_n(good.begin(), 12, noise.begin());
  all.add("noise behind magic and version", std::move(noise));
  return std::move(all).take();
}

std::vector<std::byte> with_rows_of(std::byte value, std::vector<std::byte> good) {
  const Parts parts(good);
  std::fill(good.begin() + static_cast<std::ptrdiff_t>(parts.rows_at),
            good.begin() + static_cast<std::ptrdiff_t>(parts.end), value);
  return sealed(std::move(good));
}

}  // namespace ds4::test
