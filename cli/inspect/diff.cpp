#include "inspect/diff.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/json_writer.hpp"
#include "format/dtype.hpp"
#include "format/gguf_reader.hpp"
#include "format/shown.hpp"
#include "inspect/read_through.hpp"
#include "inspect/value_text.hpp"

namespace ds4::inspect {
namespace {

constexpr std::size_t kFewElements = 8;

struct Finding {
  std::string what;  ///< "key", "tensor"
  std::string name;
  std::string text;
};

bool same_value(const GgufEntry& a, const GgufEntry& b) {
  return a.type == b.type && a.element == b.element && a.count == b.count &&
         std::equal(a.value.begin(), a.value.end(), b.value.begin(), b.value.end());
}

/// Where two equally long ranges first differ; their length when they do not.
Result<std::uint64_t> first_difference(const GgufFile& a, std::span<const std::byte> in_a,
                                       const GgufFile& b, std::span<const std::byte> in_b) {
  std::uint64_t at = 0;
  bool is_cut = false;
  DS4_CHECK(read_through(a, in_a, [&](std::span<const std::byte> piece) {
    is_cut = !b.unchanged();
    if (is_cut) return false;
    const std::span<const std::byte> other = in_b.subspan(at, piece.size());
    const auto [mine, theirs] = std::mismatch(piece.begin(), piece.end(), other.begin());
    (void)theirs;
    at += static_cast<std::uint64_t>(mine - piece.begin());
    b.release(other);
    return mine == piece.end();
  }));
  if (is_cut) return fail(Errc::io, b.name(), ": the file changed its size while it was read");
  return at;
}

class Comparison {
 public:
  Comparison(const GgufFile& a, const GgufFile& b, const InspectOptions& options)
      : a_(a), b_(b), options_(options) {}

  Result<void> run() {
    compare_metadata();
    return compare_tensors();
  }
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

 private:
  void add(const char* what, std::string_view name, std::string text) {
    findings_.push_back({what, std::string(name), std::move(text)});
  }

  void compare_metadata() {
    for (const GgufEntry& entry : a_.metadata()) {
      if (!matches(entry.key, options_.filter)) continue;
      const GgufEntry* other = b_.find(entry.key);
      if (other == nullptr) {
        add("key", entry.key, "only in the first: " + value_text(entry, kFewElements));
      } else if (!same_value(entry, *other)) {
        add("key", entry.key,
            type_text(entry) + " " + value_text(entry, kFewElements) + " against " +
                type_text(*other) + " " + value_text(*other, kFewElements));
      }
    }
    for (const GgufEntry& entry : b_.metadata()) {
      if (a_.find(entry.key) != nullptr || !matches(entry.key, options_.filter)) continue;
      add("key", entry.key, "only in the second: " + value_text(entry, kFewElements));
    }
  }

  Result<void> compare_tensors() {
    for (const TensorInfo& tensor : a_.tensors()) {
      if (!matches(tensor.name, options_.filter)) continue;
      const TensorInfo* other = b_.find_tensor(tensor.name);
      if (other == nullptr) {
        add("tensor", tensor.name, "only in the first: " + shape(tensor));
      } else if (shape(tensor) != shape(*other)) {
        add("tensor", tensor.name, shape(tensor) + " against " + shape(*other));
      } else if (!options_.only_header) {
        if (find_traits(tensor.dtype) == nullptr) {
          add("tensor", tensor.name, "of an unknown type: its bytes can not be compared");
          continue;
        }
        DS4_TRY(const std::uint64_t at,
                first_difference(a_, a_.bytes(tensor), b_, b_.bytes(*other)));
        if (at == tensor.bytes) continue;
        add("tensor", tensor.name, "bytes differ from byte " + std::to_string(at) + " on");
      }
    }
    for (const TensorInfo& tensor : b_.tensors()) {
      if (a_.find_tensor(tensor.name) != nullptr || !matches(tensor.name, options_.filter)) {
        continue;
      }
      add("tensor", tensor.name, "only in the second: " + shape(tensor));
    }
    return {};
  }

  static std::string shape(const TensorInfo& tensor) {
    return dtype_text(tensor.dtype) + " " + dims_text(tensor);
  }

  const GgufFile& a_;
  const GgufFile& b_;
  const InspectOptions& options_;
  std::vector<Finding> findings_;
};

std::string as_json(const std::vector<Finding>& findings) {
  cli::JsonWriter json;
  json.begin_object();
  json.key("differs").boolean(!findings.empty());
  json.key("findings").begin_array();
  for (const Finding& finding : findings) {
    json.line_break().begin_object();
    json.key("what").string(finding.what);
    json.key("name").string(finding.name);
    json.key("text").string(finding.text);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace

Result<Difference> diff_files(const InspectOptions& options) {
  DS4_TRY(const GgufFile first, GgufFile::open(options.files[0]));
  DS4_TRY(const GgufFile second, GgufFile::open(options.files[1]));
  Comparison comparison(first, second, options);
  DS4_CHECK(comparison.run());
  Difference out;
  out.differs = !comparison.findings().empty();
  if (options.prints_json) {
    out.text = as_json(comparison.findings());
    return out;
  }
  for (const Finding& finding : comparison.findings()) {
    out.text += finding.what + " " + std::string(shown(finding.name)) + ": " + finding.text + "\n";
  }
  if (!out.differs) {
    out.text = options.only_header ? "the headers say the same\n" : "the files say the same\n";
  }
  return out;
}

}  // namespace ds4::inspect
