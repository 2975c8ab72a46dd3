// What the opaque handles of the ABI are in this backend: host memory and plain records.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ds4/backend_sdk.hpp"

namespace example {

namespace sdk = ds4::sdk;

inline constexpr std::uint64_t kAlignment = 64;

// Memory comes from the host, which counts and limits it. Throws OUT_OF_MEMORY.
std::byte* allocate(const ds4_host_api& host, std::uint64_t bytes, const char* tag);
void release(const ds4_host_api& host, std::byte* block) noexcept;

// weights.cpp
ds4_status weight_query(ds4_device*, const ds4_weight_desc*, ds4_weight_answer*, ds4_error*);
ds4_status weight_import_begin(ds4_device*, const ds4_weight_desc*, std::uint32_t, ds4_import**,
                               ds4_error*);
ds4_status weight_import_write(ds4_import*, std::uint64_t, const void*, std::uint64_t, ds4_error*);
ds4_status weight_import_finish(ds4_import*, ds4_weight**, ds4_error*);
void weight_import_abort(ds4_import*);
void weight_destroy(ds4_weight*);

// call.cpp
ds4_status op_support(ds4_device*, const ds4_op*, ds4_op_support*, ds4_error*);
ds4_status workspace_size(ds4_device*, const ds4_op* const*, std::uint32_t, std::uint64_t*,
                          ds4_error*);
ds4_status enqueue(ds4_stream*, const ds4_submission*, ds4_error*);

}  // namespace example

struct ds4_device {
  const ds4_host_api* host = nullptr;
  bool validates = false;                  // DS4_DEVICE_VALIDATE: overlap is refused
  std::atomic<std::uint64_t> children{0};  // buffers, streams, imports and weights that live
};

struct ds4_buffer {
  ds4_device* device = nullptr;
  std::byte* data = nullptr;
  std::uint64_t bytes = 0;
};

// Everything runs before its call returns, so a stream has no state of its own.
struct ds4_stream {
  ds4_device* device = nullptr;
};

// Rows of `width` values in the source's own format; a rank-1 weight is one row.
struct ds4_weight {
  ds4_device* device = nullptr;
  std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  std::uint32_t dtype = 0;
  std::uint32_t rank = 0;
  std::uint32_t extent[4] = {};

  std::uint32_t width() const noexcept { return extent[rank - 1]; }
  std::uint64_t rows() const noexcept {
    std::uint64_t n = 1;
    for (std::uint32_t d = 0; d + 1 < rank; ++d) n *= extent[d];
    return n;
  }
  const std::byte* row(std::uint64_t r) const noexcept { return data + r * (bytes / rows()); }
};

struct ds4_import {
  ds4_weight* weight = nullptr;
  std::uint64_t written = 0;  // bytes so far: this backend takes them in ascending order
};
