#include "inspect/dump.hpp"

#include <sstream>

#include "common/json_writer.hpp"
#include "format/gguf_reader.hpp"
#include "inspect/value_text.hpp"

namespace ds4::inspect {
namespace {

constexpr std::size_t kFewElements = 8;

/// A name or a value as it stands in a line of its own: what could break the line is escaped.
std::string plain(std::string_view text) {
  cli::JsonWriter json;
  json.string(text);
  const std::string quoted = json.take();
  return quoted.substr(1, quoted.size() - 2);
}

void padded(std::ostringstream& out, const std::string& text, std::size_t width) {
  out << text << std::string(text.size() < width ? width - text.size() : 0, ' ') << "  ";
}

std::string text_dump(const GgufFile& file, const InspectOptions& options) {
  const std::size_t most = options.shows_all ? kWhole : kFewElements;
  std::ostringstream out;
  out << "gguf: version " << file.version() << ", " << file.metadata().size() << " keys, "
      << file.tensors().size() << " tensors, alignment " << file.alignment() << ", data at "
      << file.data_offset() << ", " << file.file_bytes() << " bytes\n";
  if (!options.only_tensors) {
    out << "\nmetadata\n";
    for (const GgufEntry& entry : file.metadata()) {
      if (!matches(entry.key, options.filter)) continue;
      padded(out, plain(entry.key), 44);
      padded(out, type_text(entry), 15);
      out << value_text(entry, most) << "\n";
    }
  }
  if (options.only_metadata) return out.str();
  out << "\ntensors\n";
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    if (!matches(tensor.name, options.filter)) continue;
    padded(out, plain(tensor.name), 40);
    padded(out, dtype_text(tensor.dtype), 8);
    padded(out, dims_text(tensor), 20);
    out << "offset " << tensor.offset << ", " << tensor.bytes << " bytes\n";
    bytes += tensor.bytes;
    ++count;
  }
  out << "shown: " << count << " tensors, " << bytes << " bytes\n";
  return out.str();
}

std::string json_dump(const GgufFile& file, const InspectOptions& options) {
  const std::size_t most = options.shows_all ? kWhole : kFewElements;
  cli::JsonWriter json;
  json.begin_object();
  json.key("version").unsigned_integer(file.version());
  json.key("alignment").unsigned_integer(file.alignment());
  json.key("data_offset").unsigned_integer(file.data_offset());
  json.key("file_bytes").unsigned_integer(file.file_bytes());
  json.key("key_count").unsigned_integer(file.metadata().size());
  json.key("tensor_count").unsigned_integer(file.tensors().size());
  if (!options.only_tensors) {
    json.key("metadata").begin_array();
    for (const GgufEntry& entry : file.metadata()) {
      if (!matches(entry.key, options.filter)) continue;
      json.line_break().begin_object();
      json.key("key").string(entry.key);
      json.key("type").string(type_text(entry));
      if (entry.type == GgufType::array) json.key("count").unsigned_integer(entry.count);
      json.key("value");
      // A JSON string cut short could not be told from a whole one.
      value_json(json, entry, entry.type == GgufType::string ? kWhole : most);
      json.end_object();
    }
    json.line_break().end_array();
  }
  if (!options.only_metadata) {
    json.key("tensors").begin_array();
    for (const TensorInfo& tensor : file.tensors()) {
      if (!matches(tensor.name, options.filter)) continue;
      json.line_break().begin_object();
      json.key("name").string(tensor.name);
      json.key("type").string(dtype_text(tensor.dtype));
      json.key("dims").begin_array();
      for (std::uint32_t i = 0; i < tensor.rank; ++i) json.unsigned_integer(tensor.dims[i]);
      json.end_array();
      json.key("offset").unsigned_integer(tensor.offset);
      json.key("bytes").unsigned_integer(tensor.bytes);
      json.end_object();
    }
    json.line_break().end_array();
  }
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

Result<std::string> dump_file(const InspectOptions& options) {
  DS4_TRY(const GgufFile file, GgufFile::open(options.files.front()));
  return options.prints_json ? json_dump(file, options) : text_dump(file, options);
}

}  // namespace ds4::inspect
