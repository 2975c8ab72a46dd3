#include "inspect/hash.hpp"

#include <sstream>

#include "common/json_writer.hpp"
#include "format/dtype.hpp"
#include "format/gguf_reader.hpp"
#include "format/shown.hpp"
#include "inspect/digest.hpp"
#include "inspect/read_through.hpp"
#include "inspect/value_text.hpp"

namespace ds4::inspect {
namespace {

/// Hashes the whole file in one pass and each chosen tensor in another: files of this size are read
/// from a disk either way, and the second pass finds small files in memory.
Result<std::string> tensor_hash(const GgufFile& file, const TensorInfo& tensor) {
  Xxh3 hash;
  DS4_CHECK(read_through(file, file.bytes(tensor), [&hash](std::span<const std::byte> piece) {
    hash.add(piece);
    return true;
  }));
  return hash.text();
}

Result<std::string> file_hash(const GgufFile& file) {
  Sha256 hash;
  DS4_CHECK(read_through(file, file.all_bytes(), [&hash](std::span<const std::byte> piece) {
    hash.add(piece);
    return true;
  }));
  return hash.text();
}

}  // namespace

Result<std::string> hash_file(const InspectOptions& options) {
  DS4_TRY(const GgufFile file, GgufFile::open(options.files.front()));
  std::ostringstream text;
  cli::JsonWriter json;
  json.begin_object();
  const auto say = [&](const char* key, const char* title, const std::string& digest) {
    json.key(key).string(digest);
    text << digest << "  " << title << "\n";
  };
  say("header_sha256", "sha256 of the header", file.header_hash_text());
  if (!options.only_header && !options.only_tensors) {
    DS4_TRY(const std::string whole, file_hash(file));
    say("file_sha256", "sha256 of the file", whole);
  }
  if (!options.only_header) {
    json.key("tensors_xxh3").begin_object();
    for (const TensorInfo& tensor : file.tensors()) {
      if (!matches(tensor.name, options.filter)) continue;
      if (find_traits(tensor.dtype) == nullptr) {
        json.line_break().key(tensor.name).string("unknown type");
        text << "unknown type  no xxh3 of " << shown(tensor.name) << "\n";
        continue;
      }
      DS4_TRY(const std::string digest, tensor_hash(file, tensor));
      json.line_break().key(tensor.name).string(digest);
      text << digest << "  xxh3 of " << shown(tensor.name) << "\n";
    }
    json.end_object();
  }
  json.end_object();
  return options.prints_json ? json.take() + "\n" : text.str();
}

}  // namespace ds4::inspect
