/* Weights stay in the format of the file: F32, F16 or BF16, and I32 for the table of experts by
 * token. Core converts the others. */
#include <string.h>

#include "objects.h"

static uint32_t value_bytes(uint32_t dtype) {
  switch (dtype) {
    case DS4_DTYPE_F32:
    case DS4_DTYPE_I32:
      return 4;
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
      return 2;
    default:
      return 0;
  }
}

static bool takes(const ds4_weight_desc* desc) {
  return value_bytes(desc->dtype) != 0 && (desc->flags & DS4_WEIGHT_STREAMED) == 0 &&
         (desc->dtype != DS4_DTYPE_I32 || desc->role == DS4_ROLE_TOKEN_TABLE);
}

static ds4_status check(const ds4_weight_desc* desc, ds4_error* err) {
  if (desc == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "the description is null");
  if (desc->struct_size < sizeof *desc) return failed(err, DS4_E_ABI, "it is too short");
  if (desc->role < DS4_ROLE_EMBEDDING || desc->role > DS4_ROLE_ROUTER ||
      (desc->flags & ~DS4_WEIGHT_STREAMED) != 0) {
    return failed(err, DS4_E_UNSUPPORTED, "unknown role %u or flags %u", desc->role, desc->flags);
  }
  if (desc->rank < 1 || desc->rank > 4) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "rank %u is outside 1..4", desc->rank);
  }
  if (value_bytes(desc->dtype) == 0) return DS4_OK; /* refused by takes() */
  uint64_t bytes = value_bytes(desc->dtype);
  for (uint32_t d = 0; d < desc->rank; ++d) {
    if (desc->extent[d] == 0 || bytes > UINT64_MAX / desc->extent[d]) {
      return failed(err, DS4_E_INVALID_ARGUMENT, "extent %u makes no sense", d);
    }
    bytes *= desc->extent[d];
  }
  if (bytes == desc->bytes) return DS4_OK;
  return failed(err, DS4_E_INVALID_ARGUMENT, "the bytes do not follow from the extents");
}

ds4_status weight_query(ds4_device* device, const ds4_weight_desc* desc, ds4_weight_answer* out,
                        ds4_error* err) {
  const ds4_status status = check(desc, err);
  if (status != DS4_OK) return status;
  if (device == NULL || out == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  const uint32_t size = out->struct_size;
  if (size < sizeof *out) return failed(err, DS4_E_ABI, "weight answer is too short");
  memset(out, 0, sizeof *out);
  out->struct_size = size;
  out->accepted = takes(desc);
  out->sequential = 1;
  out->packed_bytes = takes(desc) ? desc->bytes : 0;
  strcpy(out->fingerprint, "example-c/source/1");
  return DS4_OK;
}

static void drop(ds4_weight* weight) {
  ds4_device* device = weight->device;
  device->host->free(device->host->host_ctx, weight->data);
  delete_object(device, weight);
}

ds4_status weight_import_begin(ds4_device* device, const ds4_weight_desc* desc, uint32_t flags,
                               ds4_import** out, ds4_error* err) {
  const ds4_status status = check(desc, err);
  if (status != DS4_OK) return status;
  if (device == NULL || out == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  if (flags != 0 || !takes(desc)) {
    return failed(err, DS4_E_UNSUPPORTED, "this weight was not offered by weight_query");
  }
  ds4_import* import = new_object(device, sizeof *import);
  ds4_weight* weight = new_object(device, sizeof *weight);
  unsigned char* data = device->host->alloc(device->host->host_ctx, desc->bytes, 64, "weight");
  if (import == NULL || weight == NULL || data == NULL) {
    if (import != NULL) delete_object(device, import);
    if (weight != NULL) delete_object(device, weight);
    if (data != NULL) device->host->free(device->host->host_ctx, data);
    return failed(err, DS4_E_OUT_OF_MEMORY, "no memory for a weight");
  }
  weight->device = device;
  weight->data = data;
  weight->bytes = desc->bytes;
  weight->dtype = desc->dtype;
  weight->rank = desc->rank;
  weight->width = desc->extent[desc->rank - 1];
  weight->rows = 1;
  for (uint32_t d = 0; d < desc->rank; ++d) {
    weight->extent[d] = desc->extent[d];
    if (d + 1 < desc->rank) weight->rows *= desc->extent[d];
  }
  import->weight = weight;
  *out = import;
  return DS4_OK;
}

ds4_status weight_import_write(ds4_import* import, uint64_t offset, const void* src, uint64_t bytes,
                               ds4_error* err) {
  if (import == NULL || (src == NULL && bytes != 0)) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  }
  const ds4_host_api* host = import->weight->device->host;
  if (DS4_HAS(ds4_host_api, host, should_cancel) && host->should_cancel(host->host_ctx) != 0) {
    return failed(err, DS4_E_CANCELLED, "the import was cancelled");
  }
  if (offset != import->written || bytes > import->weight->bytes - offset) {
    return failed(err, DS4_E_INVALID_ARGUMENT, "%llu bytes at %llu where byte %llu comes next",
                  (unsigned long long)bytes, (unsigned long long)offset,
                  (unsigned long long)import->written);
  }
  if (bytes != 0) memcpy(import->weight->data + offset, src, bytes);
  import->written += bytes;
  return DS4_OK;
}

ds4_status weight_import_finish(ds4_import* import, ds4_weight** out, ds4_error* err) {
  if (import == NULL) return failed(err, DS4_E_INVALID_ARGUMENT, "null argument");
  ds4_weight* weight = import->weight;
  const bool is_whole = import->written == weight->bytes && out != NULL;
  delete_object(weight->device, import);
  if (is_whole) {
    *out = weight;
    return DS4_OK;
  }
  drop(weight);
  return failed(err, DS4_E_INVALID_ARGUMENT, "not all bytes of the weight were written");
}

void weight_import_abort(ds4_import* import) {
  if (import == NULL) return;
  ds4_weight* weight = import->weight;
  delete_object(weight->device, import);
  drop(weight);
}

void weight_destroy(ds4_weight* weight) {
  if (weight != NULL) drop(weight);
}
