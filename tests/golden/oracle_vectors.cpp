#include "tests/golden/oracle_vectors.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/checked.hpp"
#include "base/mapped_file.hpp"

namespace ds4::golden {
namespace {

static_assert(std::endian::native == std::endian::little, "vector files are read as they lie");

constexpr std::string_view kMagic = "DS4ORCL1";
constexpr std::uint32_t kVersion = 1;

// The fields after the magic, in file order.
struct Header {
  std::uint64_t seed;
  std::uint32_t version;
  std::uint32_t tokens;
  std::uint32_t vocab;
  std::uint32_t layers;
  std::uint32_t experts_used;
  std::uint32_t index_top_k;
  std::uint32_t sparse_layers;
  std::uint32_t positions;
  std::uint32_t stream_layers;
  std::uint32_t streams;
  std::uint32_t width;
  std::uint32_t reserved;
};
static_assert(sizeof(Header) == 56);

// Takes arrays off the front of a file; each is padded to 8 bytes.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::filesystem::path& path)
      : rest_(bytes), path_(path) {}

  template <class T>
  Result<void> take(std::vector<T>& out, std::initializer_list<std::uint32_t> shape,
                    std::string_view what) {
    std::uint64_t count = 1;
    for (const std::uint32_t extent : shape) {
      const auto product = checked_mul(count, extent);
      if (!product) return fail(Errc::bad_file, path_.string(), ": ", what, " is beyond 64 bits");
      count = *product;
    }
    if (count > rest_.size() / sizeof(T)) {
      return fail(Errc::bad_file, path_.string(), ": ", what, " needs ", count, " elements, ",
                  rest_.size(), " bytes remain; write the file again");
    }
    out.resize(count);
    if (count != 0) std::memcpy(out.data(), rest_.data(), count * sizeof(T));
    const std::uint64_t padded = round_up(count * sizeof(T), 8);
    if (padded > rest_.size()) return fail(Errc::bad_file, path_.string(), ": ", what, " is cut");
    rest_ = rest_.subspan(padded);
    return {};
  }

  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  const std::filesystem::path& path_;
};

}  // namespace

Result<OracleVectors> OracleVectors::read(const std::filesystem::path& path) {
  DS4_TRY(const MappedFile file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < kMagic.size() + sizeof(Header) ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return fail(Errc::bad_file, path.string(), ": is not a vector file of the oracle (no ", kMagic,
                " in front)");
  }
  Header header{};
  std::memcpy(&header, bytes.data() + kMagic.size(), sizeof(header));
  if (header.version != kVersion) {
    return fail(Errc::bad_file, path.string(), ": version ", header.version, ", wanted ", kVersion);
  }
  OracleVectors out;
  out.seed = header.seed;
  out.vocab = header.vocab;
  out.layers = header.layers;
  out.experts_used = header.experts_used;
  out.index_top_k = header.index_top_k;
  out.streams = header.streams;
  out.width = header.width;
  out.stream_layers = header.stream_layers;

  const std::uint32_t rows = header.tokens;
  const std::uint32_t sparse = header.sparse_layers;
  Cursor cursor(bytes.subspan(kMagic.size() + sizeof(Header)), path);
  DS4_CHECK(cursor.take(out.tokens, {rows}, "tokens"));
  DS4_CHECK(cursor.take(out.sparse_layers, {sparse}, "sparse_layers"));
  DS4_CHECK(cursor.take(out.positions, {header.positions}, "positions"));
  DS4_CHECK(cursor.take(out.logits, {header.positions, header.vocab}, "logits"));
  DS4_CHECK(cursor.take(out.top1, {rows}, "top1"));
  DS4_CHECK(cursor.take(out.top_gap, {rows}, "top_gap"));
  DS4_CHECK(cursor.take(out.experts, {header.layers, rows, header.experts_used}, "experts"));
  DS4_CHECK(cursor.take(out.expert_margins, {header.layers, rows}, "expert_margins"));
  DS4_CHECK(cursor.take(out.index_rows, {sparse, rows, header.index_top_k}, "index_rows"));
  DS4_CHECK(cursor.take(out.index_margins, {sparse, rows}, "index_margins"));
  DS4_CHECK(cursor.take(out.residuals, {header.stream_layers, rows, header.streams, header.width},
                        "streams"));
  if (cursor.left() != 0) {
    return fail(Errc::bad_file, path.string(), ": ", cursor.left(), " bytes behind the last array");
  }
  return out;
}

}  // namespace ds4::golden
