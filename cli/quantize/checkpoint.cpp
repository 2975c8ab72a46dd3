#include "quantize/checkpoint.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "tokenizer/json_text.hpp"

namespace ds4::quantize {
namespace {

constexpr std::string_view kIndex = "model.safetensors.index.json";

// Tensor name and shard file name of each entry of the index.
using WeightMap = std::vector<std::pair<std::string, std::string>>;

Result<WeightMap> read_index(const std::filesystem::path& path) {
  DS4_TRY(const std::string text, read_text(path));
  auto root = parse_json(text);
  if (!root) return Error{Errc::bad_file, root.error().what}.in(path.string());
  const JsonValue* map = root->find("weight_map");
  if (map == nullptr || !map->is(JsonValue::Kind::object)) {
    return fail(Errc::bad_file, path.string(), ": has no object 'weight_map'");
  }
  WeightMap out;
  for (std::size_t i = 0; i < map->items.size(); ++i) {
    const JsonValue& file = map->items[i];
    const bool is_plain = file.is(JsonValue::Kind::string) && !file.text.empty() &&
                          file.text.find('/') == std::string::npos;
    if (!is_plain) {
      return fail(Errc::bad_file, path.string(), ": '", map->keys[i],
                  "' does not name a file of the folder");
    }
    out.emplace_back(map->keys[i], file.text);
  }
  return out;
}

Result<std::set<std::filesystem::path>> list_shards(const std::filesystem::path& folder) {
  std::error_code code;
  std::set<std::filesystem::path> out;
  std::filesystem::directory_iterator it(folder, code);
  if (code) {
    return fail(Errc::not_found, folder.string(), ": cannot read the folder: ", code.message());
  }
  for (const std::filesystem::directory_iterator end; it != end; it.increment(code)) {
    if (it->path().extension() == ".safetensors") out.insert(it->path());
    if (code) break;
  }
  if (out.empty()) {
    return fail(Errc::not_found, folder.string(),
                ": holds no *.safetensors file; give the folder of the downloaded checkpoint");
  }
  return out;
}

}  // namespace

Result<std::string> read_text(const std::filesystem::path& path) {
  DS4_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& folder) {
  Checkpoint out(folder);
  std::error_code code;
  WeightMap promised;
  std::set<std::filesystem::path> shards;
  if (std::filesystem::exists(folder / kIndex, code)) {
    DS4_TRY(promised, read_index(folder / kIndex));
    for (const auto& [tensor, file] : promised) shards.insert(folder / file);
  } else {
    DS4_TRY(shards, list_shards(folder));
  }
  out.shards_.reserve(shards.size());
  for (const auto& path : shards) DS4_CHECK(out.add_shard(path));
  for (const auto& [tensor, file] : promised) {
    if (out.find(tensor) != nullptr) continue;
    return fail(Errc::bad_file, (folder / file).string(), ": lacks tensor '", tensor,
                "' that the index places there");
  }
  return out;
}

Result<void> Checkpoint::add_shard(const std::filesystem::path& path) {
  DS4_TRY(SafetensorsFile shard, SafetensorsFile::open(path));
  shards_.push_back(std::move(shard));
  for (const SourceTensor& tensor : shards_.back().tensors()) {
    if (tensors_.emplace(tensor.name, &tensor).second) continue;
    return fail(Errc::bad_file, path.string(), ": tensor '", tensor.name,
                "' is also in another shard; remove files of other downloads");
  }
  return {};
}

const SourceTensor* Checkpoint::find(std::string_view name) const noexcept {
  const auto at = tensors_.find(name);
  return at == tensors_.end() ? nullptr : at->second;
}

std::vector<std::string_view> Checkpoint::names() const {
  std::vector<std::string_view> out;
  out.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace ds4::quantize
