/// The functions of this backend's table, by the file that holds them. Contracts: ds4/backend.h.
#pragma once

#include "objects.hpp"

namespace ds4::cpu {

// device.cpp
ds4_status enumerate(ds4_device_info*, std::uint32_t, std::uint32_t*, ds4_error*);
const char* device_reason(std::uint32_t);
ds4_status device_open(std::uint32_t, const ds4_device_options*, ds4_device**, ds4_error*);
ds4_status device_close(ds4_device*, ds4_error*);
ds4_status stats_read(ds4_device*, ds4_stats*, ds4_error*);

// memory.cpp
ds4_status buffer_create(ds4_device*, std::uint64_t, std::uint32_t, std::uint32_t, ds4_buffer**,
                         ds4_error*);
void buffer_destroy(ds4_buffer*);
ds4_status buffer_write(ds4_stream*, ds4_buffer*, std::uint64_t, const void*, std::uint64_t,
                        ds4_error*);
ds4_status buffer_read(ds4_stream*, const ds4_buffer*, std::uint64_t, void*, std::uint64_t,
                       ds4_error*);
ds4_status buffer_copy(ds4_stream*, ds4_buffer*, std::uint64_t, const ds4_buffer*, std::uint64_t,
                       std::uint64_t, ds4_error*);
ds4_status buffer_fill(ds4_stream*, ds4_buffer*, std::uint64_t, std::uint64_t, std::uint8_t,
                       ds4_error*);
ds4_status buffer_map(ds4_buffer*, void**, ds4_error*);
void buffer_unmap(ds4_buffer*);
ds4_status buffer_import_host(ds4_device*, void*, std::uint64_t, std::uint32_t, ds4_buffer**,
                              ds4_error*);
ds4_status stream_create(ds4_device*, ds4_stream**, ds4_error*);
void stream_destroy(ds4_stream*);
ds4_status stream_sync(ds4_stream*, ds4_error*);

// weights.cpp
ds4_status weight_query(ds4_device*, const ds4_weight_desc*, ds4_weight_answer*, ds4_error*);
ds4_status weight_import_begin(ds4_device*, const ds4_weight_desc*, std::uint32_t, ds4_import**,
                               ds4_error*);
ds4_status weight_import_write(ds4_import*, std::uint64_t, const void*, std::uint64_t, ds4_error*);
ds4_status weight_import_finish(ds4_import*, ds4_weight**, ds4_error*);
void weight_import_abort(ds4_import*);
void weight_destroy(ds4_weight*);
ds4_status weight_pack_expert(const ds4_weight_desc*, std::uint32_t, const void*, void*,
                              ds4_error*);

// enqueue.cpp
ds4_status op_support(ds4_device*, const ds4_op*, ds4_op_support*, ds4_error*);
ds4_status workspace_size(ds4_device*, const ds4_op* const*, std::uint32_t, std::uint64_t*,
                          ds4_error*);
ds4_status enqueue(ds4_stream*, const ds4_submission*, ds4_error*);

}  // namespace ds4::cpu
