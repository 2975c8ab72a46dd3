#include "tests/integration/models/raw_model.hpp"

#include <algorithm>
#include <stdexcept>

#include "tests/unit/format/gguf_bytes.hpp"

namespace ds4::test {
namespace {

constexpr std::uint32_t kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9, kU64 = 10;

template <class Values>
Bytes array_bytes(std::uint32_t element, const Values& values) {
  GgufBytes out;
  out.u32(element).u64(values.size());
  for (const auto& value : values) {
    if constexpr (std::is_same_v<typename Values::value_type, std::string>) {
      out.text(value);
    } else {
      out.put(value);
    }
  }
  return out.bytes();
}

template <class Items>
auto& named(Items& items, std::string_view name,
            std::string std::remove_reference_t<decltype(items.front())>::*member) {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const auto& item) { return item.*member == name; });
  if (found == items.end()) throw std::runtime_error("the model has no " + std::string(name));
  return *found;
}

}  // namespace

RawModel RawModel::of(const GgufFile& file) {
  RawModel out;
  for (const GgufEntry& entry : file.metadata()) {
    GgufBytes value;
    if (entry.type == GgufType::array) {
      value.u32(static_cast<std::uint32_t>(entry.element)).u64(entry.count);
    } else if (entry.type == GgufType::string) {
      value.u64(entry.value.size());
    }
    Bytes bytes = value.bytes();
    bytes.insert(bytes.end(), entry.value.begin(), entry.value.end());
    out.entries.push_back(
        {std::string(entry.key), static_cast<std::uint32_t>(entry.type), std::move(bytes)});
  }
  for (const TensorInfo& tensor : file.tensors()) {
    const auto data = file.bytes(tensor);
    out.tensors.push_back({std::string(tensor.name),
                           {tensor.dims.begin(), tensor.dims.begin() + tensor.rank},
                           static_cast<std::uint32_t>(tensor.dtype),
                           std::nullopt,
                           {data.begin(), data.end()}});
  }
  return out;
}

RawEntry& RawModel::entry(std::string_view key) {
  return named(entries, key, &RawEntry::key);
}

RawTensor& RawModel::tensor(std::string_view name) {
  return named(tensors, name, &RawTensor::name);
}

void RawModel::remove_entry(std::string_view key) {
  entries.erase(entries.begin() + (&entry(key) - entries.data()));
}

void RawModel::remove_tensor(std::string_view name) {
  tensors.erase(tensors.begin() + (&tensor(name) - tensors.data()));
}

void RawModel::set_raw(std::string_view key, std::uint32_t type, Bytes value) {
  for (RawEntry& known : entries) {
    if (known.key != key) continue;
    known.type = type;
    known.value = std::move(value);
    return;
  }
  entries.push_back({std::string(key), type, std::move(value)});
}

void RawModel::set_u32(std::string_view key, std::uint32_t value) {
  set_raw(key, kU32, GgufBytes().u32(value).bytes());
}
void RawModel::set_u64(std::string_view key, std::uint64_t value) {
  set_raw(key, kU64, GgufBytes().u64(value).bytes());
}
void RawModel::set_f32(std::string_view key, float value) {
  set_raw(key, kF32, GgufBytes().put(value).bytes());
}
void RawModel::set_bool(std::string_view key, bool value) {
  set_raw(key, kBool, GgufBytes().u8(value ? 1 : 0).bytes());
}
void RawModel::set_string(std::string_view key, std::string_view value) {
  set_raw(key, kString, GgufBytes().text(value).bytes());
}
void RawModel::set_u32s(std::string_view key, const std::vector<std::uint32_t>& values) {
  set_raw(key, kArray, array_bytes(kU32, values));
}
void RawModel::set_i32s(std::string_view key, const std::vector<std::int32_t>& values) {
  set_raw(key, kArray, array_bytes(kI32, values));
}
void RawModel::set_f32s(std::string_view key, const std::vector<float>& values) {
  set_raw(key, kArray, array_bytes(kF32, values));
}
void RawModel::set_strings(std::string_view key, const std::vector<std::string>& values) {
  set_raw(key, kArray, array_bytes(kString, values));
}

Bytes RawModel::encode() const {
  constexpr std::size_t kAlignment = 32;
  const auto padded = [](std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  GgufBytes head;
  head.head(tensors.size(), entries.size(), version);
  for (const RawEntry& entry : entries) {
    head.key(entry.key, entry.type);
    for (const std::byte b : entry.value) head.put(b);
  }
  std::uint64_t next = 0;
  for (const RawTensor& tensor : tensors) {
    head.text(tensor.name).u32(static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) head.u64(dim);
    head.u32(tensor.type).u64(tensor.offset.value_or(next));
    next = padded(next + tensor.data.size());
  }
  Bytes out = head.bytes();
  out.resize(padded(out.size()));
  for (const RawTensor& tensor : tensors) {
    out.insert(out.end(), tensor.data.begin(), tensor.data.end());
    out.resize(padded(out.size()));
  }
  return out;
}

}  // namespace ds4::test
