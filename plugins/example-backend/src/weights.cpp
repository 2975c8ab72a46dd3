// Weights stay in the format of the file. Four formats are taken; core converts the others.
#include <memory>

#include "objects.hpp"

namespace example {
namespace {

bool takes(const ds4_weight_desc& desc) noexcept {
  if ((desc.flags & DS4_WEIGHT_STREAMED) != 0) return false;
  switch (desc.dtype) {
    case DS4_DTYPE_F32:
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
    case DS4_DTYPE_Q8_0:
      return true;
    case DS4_DTYPE_I32:
      return desc.role == DS4_ROLE_TOKEN_TABLE;
    default:
      return false;
  }
}

// Throws when the description makes no sense: extents and bytes must agree.
void check(const ds4_weight_desc& desc) {
  const sdk::BlockShape block = sdk::block_shape(desc.dtype);
  if (block.values == 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, "dtype ", desc.dtype, " is no weight format");
  }
  if (desc.role < DS4_ROLE_EMBEDDING || desc.role > DS4_ROLE_ROUTER) {
    throw sdk::failure(DS4_E_UNSUPPORTED, "unknown role ", desc.role);
  }
  if ((desc.flags & ~DS4_WEIGHT_STREAMED) != 0) {
    throw sdk::failure(DS4_E_UNSUPPORTED, "weight description: unknown flags in ", desc.flags);
  }
  if (desc.rank < 1 || desc.rank > 4) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, "rank ", desc.rank, " is outside 1..4");
  }
  std::uint64_t bytes = desc.extent[desc.rank - 1] / block.values * block.bytes;
  for (std::uint32_t d = 0; d + 1 < desc.rank; ++d) bytes = sdk::sat_mul(bytes, desc.extent[d]);
  if (bytes == 0 || bytes != desc.bytes || desc.extent[desc.rank - 1] % block.values != 0) {
    throw sdk::failure(DS4_E_INVALID_ARGUMENT, desc.bytes, " bytes where ", bytes,
                       " follow from the extents");
  }
}

void drop(ds4_weight* weight) noexcept {
  release(*weight->device->host, weight->data);
  --weight->device->children;
  delete weight;
}

}  // namespace

ds4_status weight_query(ds4_device* device, const ds4_weight_desc* desc, ds4_weight_answer* out,
                        ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(device, "device");
    const ds4_weight_desc& source = sdk::need_struct(desc, "weight description");
    ds4_weight_answer& answer = sdk::need_struct(out, "weight answer");
    const std::uint32_t size = answer.struct_size;
    answer = {};
    answer.struct_size = size;
    check(source);
    answer.accepted = takes(source) ? 1 : 0;
    answer.sequential = 1;
    answer.packed_bytes = answer.accepted != 0 ? source.bytes : 0;
    sdk::copy_text(answer.fingerprint, "example/source/1");
  });
}

ds4_status weight_import_begin(ds4_device* device, const ds4_weight_desc* desc, std::uint32_t flags,
                               ds4_import** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(device, "device");
    const ds4_weight_desc& source = sdk::need_struct(desc, "weight description");
    ds4_import*& result = sdk::need(out, "out");
    check(source);
    if (!takes(source) || flags != 0) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "this weight was not offered by weight_query");
    }
    auto import = std::make_unique<ds4_import>();
    auto weight = std::make_unique<ds4_weight>();
    weight->device = device;
    weight->bytes = source.bytes;
    weight->dtype = source.dtype;
    weight->rank = source.rank;
    for (std::uint32_t d = 0; d < source.rank; ++d) weight->extent[d] = source.extent[d];
    weight->data = allocate(*device->host, source.bytes, "weight");
    ++device->children;
    import->weight = weight.release();
    result = import.release();
  });
}

ds4_status weight_import_write(ds4_import* import, std::uint64_t offset, const void* src,
                               std::uint64_t bytes, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_import& i = sdk::need(import, "import");
    const ds4_host_api& host = *i.weight->device->host;
    if (DS4_HAS(ds4_host_api, &host, should_cancel) && host.should_cancel(host.host_ctx) != 0) {
      throw sdk::failure(DS4_E_CANCELLED, "the import was cancelled");
    }
    if (offset != i.written || !sdk::fits(offset, bytes, i.weight->bytes)) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "import: ", bytes, " bytes at ", offset,
                         " where byte ", i.written, " of ", i.weight->bytes, " comes next");
    }
    if (bytes == 0) return;
    std::memcpy(i.weight->data + offset, &sdk::need(static_cast<const char*>(src), "source"),
                bytes);
    i.written += bytes;
  });
}

ds4_status weight_import_finish(ds4_import* import, ds4_weight** out, ds4_error* err) {
  return sdk::fence(err, [&] {
    const std::unique_ptr<ds4_import> i(&sdk::need(import, "import"));
    const std::uint64_t wanted = i->weight->bytes;
    if (out == nullptr || i->written != wanted) {
      drop(i->weight);
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "import: ", i->written, " of ", wanted,
                         " bytes were written, or there is no place for the result");
    }
    *out = i->weight;
  });
}

void weight_import_abort(ds4_import* import) {
  if (import == nullptr) return;
  drop(import->weight);
  delete import;
}

void weight_destroy(ds4_weight* weight) {
  if (weight != nullptr) drop(weight);
}

}  // namespace example
