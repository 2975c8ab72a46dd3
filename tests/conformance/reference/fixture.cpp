#include "tests/conformance/reference/fixture.hpp"

#include <dlfcn.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <limits>

struct Reference::Host {
  explicit Host(const Options& options) : team(options.threads), compose(options.compose) {
    table.struct_size = sizeof table;
    table.abi_major = DS4_ABI_MAJOR;
    table.abi_minor = DS4_ABI_MINOR;
    table.host_ctx = this;
    table.team_run = [](void* self, ds4_team_fn fn, void* arg) {
      static_cast<Host*>(self)->team.run(fn, arg);
    };
    table.team_barrier = [](void* self) { static_cast<Host*>(self)->team.barrier(); };
    table.team_size = [](void* self) { return static_cast<Host*>(self)->team.threads(); };
    table.get_option = [](void* self, const char* key) -> const char* {
      return std::strcmp(key, "compose") == 0 ? static_cast<Host*>(self)->compose : nullptr;
    };
  }
  ds4::ThreadTeam team;
  const char* compose;
  ds4_host_api table{};
};

Reference::Reference(const Options& options) : host_(std::make_unique<Host>(options)) {
  error_.struct_size = sizeof error_;
  library_ = dlopen(DS4_REFERENCE_FILE, RTLD_NOW | RTLD_LOCAL);
  BOOST_TEST_REQUIRE(library_ != nullptr, dlerror());
  const auto entry =
      reinterpret_cast<ds4_backend_entry_fn>(dlsym(library_, DS4_BACKEND_ENTRY_NAME));
  BOOST_TEST_REQUIRE((entry != nullptr));
  BOOST_TEST_REQUIRE(entry(&host_->table, &api_, &error_) == DS4_OK, error_.text);
  const ds4_device_options device_options{sizeof(ds4_device_options), options.device_flags,
                                          &host_->table};
  BOOST_TEST_REQUIRE(api_->device_open(0, &device_options, &device_, &error_) == DS4_OK,
                     error_.text);
  BOOST_TEST_REQUIRE(api_->stream_create(device_, &stream_, &error_) == DS4_OK, error_.text);
}

Reference::~Reference() {
  for (ds4_weight* weight : weights_) api_->weight_destroy(weight);
  for (ds4_buffer* buffer : buffers_) api_->buffer_destroy(buffer);
  api_->stream_destroy(stream_);
  BOOST_TEST(api_->device_close(device_, &error_) == DS4_OK, error_.text);
  dlclose(library_);
}

ds4_view Reference::tensor(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                           std::uint32_t row_tail) {
  ds4_view view = ds4::sdk::make_view(nullptr, 0, dtype, extents, row_tail);
  const std::uint64_t bytes = ds4::sdk::view_hull(view);
  ds4_buffer* buffer = nullptr;
  BOOST_TEST_REQUIRE(api_->buffer_create(device_, bytes, DS4_MEMORY_HOST, DS4_USAGE_ACTIVATION,
                                         &buffer, &error_) == DS4_OK,
                     error_.text);
  buffers_.push_back(buffer);
  BOOST_TEST_REQUIRE(api_->buffer_fill(stream_, buffer, 0, bytes, 0xff, &error_) == DS4_OK);
  view.buffer = buffer;
  return view;
}

ds4_view Reference::floats(std::initializer_list<std::uint32_t> extents,
                           const std::vector<float>& values) {
  const ds4_view view = tensor(DS4_DTYPE_F32, extents);
  BOOST_TEST_REQUIRE(ds4::sdk::view_hull(view) == values.size() * 4);
  BOOST_TEST_REQUIRE(api_->buffer_write(stream_, view.buffer, 0, values.data(), values.size() * 4,
                                        &error_) == DS4_OK);
  return view;
}

ds4_view Reference::ints(std::initializer_list<std::uint32_t> extents,
                         const std::vector<std::int32_t>& values) {
  const ds4_view view = tensor(DS4_DTYPE_I32, extents);
  BOOST_TEST_REQUIRE(ds4::sdk::view_hull(view) == values.size() * 4);
  BOOST_TEST_REQUIRE(api_->buffer_write(stream_, view.buffer, 0, values.data(), values.size() * 4,
                                        &error_) == DS4_OK);
  return view;
}

const ds4_weight* Reference::weight(std::uint32_t role,
                                    std::initializer_list<std::uint32_t> extents,
                                    const std::vector<float>& values) {
  return packed(DS4_DTYPE_F32, role, extents, values.data(), values.size() * 4);
}

const ds4_weight* Reference::packed(std::uint32_t dtype, std::uint32_t role,
                                    std::initializer_list<std::uint32_t> extents, const void* bytes,
                                    std::uint64_t count) {
  ds4_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = dtype;
  desc.role = role;
  desc.layer = DS4_NO_LAYER;
  for (const std::uint32_t extent : extents) desc.extent[desc.rank++] = extent;
  desc.bytes = count;
  desc.name = "test";
  ds4_import* import = nullptr;
  ds4_weight* weight = nullptr;
  BOOST_TEST_REQUIRE(api_->weight_import_begin(device_, &desc, 0, &import, &error_) == DS4_OK,
                     error_.text);
  BOOST_TEST_REQUIRE(api_->weight_import_write(import, 0, bytes, count, &error_) == DS4_OK,
                     error_.text);
  BOOST_TEST_REQUIRE(api_->weight_import_finish(import, &weight, &error_) == DS4_OK, error_.text);
  weights_.push_back(weight);
  return weight;
}

std::vector<std::uint8_t> Reference::read_bytes(const ds4_view& view) const {
  std::vector<std::uint8_t> out(ds4::sdk::view_hull(view));
  BOOST_TEST_REQUIRE(api_->buffer_read(stream_, view.buffer, view.offset, out.data(), out.size(),
                                       nullptr) == DS4_OK);
  return out;
}

std::vector<float> Reference::read(const ds4_view& view) const {
  const std::vector<std::uint8_t> bytes = read_bytes(view);
  std::vector<float> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::vector<std::int32_t> Reference::read_ints(const ds4_view& view) const {
  const std::vector<std::uint8_t> bytes = read_bytes(view);
  std::vector<std::int32_t> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

ds4_status Reference::enqueue(const std::vector<const ds4_op*>& ops) {
  const auto count = static_cast<std::uint32_t>(ops.size());
  std::uint64_t bytes = 0;
  error_ = {};
  error_.struct_size = sizeof error_;
  const ds4_status sized = api_->workspace_size(device_, ops.data(), count, &bytes, &error_);
  if (sized != DS4_OK) return sized;
  ds4_submission submission{};
  submission.struct_size = sizeof submission;
  submission.count = count;
  submission.ops = ops.data();
  if (!step.empty()) {
    submission.step = ints({static_cast<std::uint32_t>(step.size())}, step);
  }
  if (bytes != 0) {
    submission.workspace = tensor(DS4_DTYPE_F32, {static_cast<std::uint32_t>((bytes + 3) / 4)});
  }
  return api_->enqueue(stream_, &submission, &error_);
}

std::vector<float> spread(std::size_t n, std::uint32_t seed) {
  std::vector<float> out(n);
  std::uint32_t state = seed * 2654435761u + 1;
  for (float& value : out) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<std::int32_t>(state >> 8) - (1 << 23)) * 0x1p-23F;
  }
  return out;
}

ds4_row_source range_source(const ds4_view& rows, const ds4_view& list) {
  ds4_row_source source{};
  source.kind = DS4_SOURCE_RANGE;
  source.rows = rows;
  source.list = list;
  return source;
}
