#include "tests/conformance/harness/backend.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/thread_team.hpp"
#include "ops/views.hpp"

namespace ds4::conformance {
namespace {

// Of processors and of devices.
constexpr std::uint64_t kBeyondCaches = std::uint64_t{256} << 20;

Errc code_of(ds4_status status) {
  switch (status) {
    case DS4_E_INVALID_ARGUMENT:
      return Errc::invalid_argument;
    case DS4_E_UNSUPPORTED:
      return Errc::unsupported;
    case DS4_E_OUT_OF_MEMORY:
      return Errc::out_of_memory;
    case DS4_E_DEVICE_LOST:
      return Errc::device_lost;
    default:
      return Errc::internal;
  }
}

/// The error of a call, with the text that the backend gave.
struct CallError : ds4_error {
  CallError() : ds4_error{} { struct_size = sizeof(ds4_error); }
  Result<void> check(ds4_status status, const char* call) const {
    if (status == DS4_OK) return {};
    return fail(code_of(status), call, " gives ", status, ": ", text);
  }
};

/// What host_ctx points to.
struct HostState {
  explicit HostState(const OpenOptions& chosen) : team(chosen.threads), options(chosen.options) {}
  ThreadTeam team;
  std::map<std::string, std::string, std::less<>> options;
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> live{0};
  std::atomic<std::uint64_t> polls{0};
  HostMemory memory;
};

HostState& state_of(void* ctx) {
  return *static_cast<HostState*>(ctx);
}

void* host_alloc(void* ctx, std::uint64_t bytes, std::uint64_t align, const char*) {
  HostState& state = state_of(ctx);
  if (++state.calls == state.memory.fail_at) return nullptr;
  const std::uint64_t unit = align < sizeof(void*) ? sizeof(void*) : align;
  void* block = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
  if (block != nullptr) ++state.live;
  return block;
}

void host_free(void* ctx, void* block) {
  if (block != nullptr) --state_of(ctx).live;
  std::free(block);
}

ds4_host_api make_host(HostState& state) {
  ds4_host_api host{};
  host.struct_size = sizeof(host);
  host.abi_major = DS4_ABI_MAJOR;
  host.abi_minor = DS4_ABI_MINOR;
  host.host_ctx = &state;
  host.log = [](void*, std::uint32_t, const char*, const char*) {};
  host.log_enabled = [](void*, std::uint32_t) -> std::uint32_t { return 0; };
  host.alloc = host_alloc;
  host.free = host_free;
  host.team_run = [](void* ctx, ds4_team_fn fn, void* arg) { state_of(ctx).team.run(fn, arg); };
  host.team_barrier = [](void* ctx) { state_of(ctx).team.barrier(); };
  host.team_size = [](void* ctx) { return state_of(ctx).team.threads(); };
  host.get_option = [](void* ctx, const char* key) -> const char* {
    const auto& options = state_of(ctx).options;
    const auto at = options.find(std::string_view(key));
    return at == options.end() ? nullptr : at->second.c_str();
  };
  host.should_cancel = [](void* ctx) -> std::uint32_t {
    HostState& self = state_of(ctx);
    const std::uint64_t question = ++self.polls;
    return self.memory.cancel_at != 0 && question >= self.memory.cancel_at ? 1 : 0;
  };
  host.get_host_extension = [](void*, const char*, std::uint32_t) -> const void* {
    return nullptr;
  };
  return host;
}

}  // namespace

struct Backend::State {
  explicit State(const OpenOptions& chosen)
      : host_state(chosen),
        host(make_host(host_state)),
        process_allocations(chosen.process_allocations) {}
  ~State() {
    if (workspace) api->buffer_destroy(workspace);
    if (flushed) api->buffer_destroy(flushed);
    if (stream) api->stream_destroy(stream);
    if (device) (void)api->device_close(device, nullptr);
    if (library) dlclose(library);
  }

  Result<void> open(const std::filesystem::path& file, std::uint32_t index);
  Result<void> reserve_workspace(std::uint64_t bytes);

  Result<void> submission(std::span<const ds4_op* const> ops, const ds4_view& step,
                          ds4_submission& out);
  [[nodiscard]] std::uint64_t allocations() const {
    return host_state.calls.load() + (process_allocations ? process_allocations() : 0);
  }

  HostState host_state;
  ds4_host_api host;
  std::uint64_t (*process_allocations)();
  void* library = nullptr;
  const ds4_backend_api* api = nullptr;
  ds4_device* device = nullptr;
  ds4_stream* stream = nullptr;
  ds4_buffer* workspace = nullptr;
  ds4_buffer* flushed = nullptr;  // flush_caches()
  std::uint8_t flush_value = 0;
  std::uint64_t workspace_bytes = 0;
  std::uint32_t memory_kind = 0;
  std::uint64_t alignment = 1;
  std::string title;
  ds4_device_info info{};
  const ds4_graph_api* graph = nullptr;
  std::optional<std::uint8_t> workspace_fill;
  std::uint64_t enqueue_allocations = 0;
  std::function<void()> after_enqueue;
  std::vector<std::vector<std::uint64_t>> descriptors;  // the copies that the backend sees
  std::vector<const ds4_op*> pointers;
};

Result<void> Backend::State::open(const std::filesystem::path& file, std::uint32_t index) {
  library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail(Errc::io, "cannot open backend: ", dlerror());
  const auto entry = reinterpret_cast<ds4_backend_entry_fn>(dlsym(library, DS4_BACKEND_ENTRY_NAME));
  if (!entry) return fail(Errc::unsupported, file.string(), ": no ", DS4_BACKEND_ENTRY_NAME);
  CallError error;
  DS4_CHECK(error.check(entry(&host, &api, &error), "entry"));
  if (api->abi_major != DS4_ABI_MAJOR || api->abi_minor != DS4_ABI_MINOR) {
    return fail(Errc::unsupported, file.string(), ": ABI ", api->abi_major, ".", api->abi_minor,
                ", this program has ", DS4_ABI_MAJOR, ".", DS4_ABI_MINOR);
  }
  ds4_backend_info about{};
  about.struct_size = sizeof(about);
  DS4_CHECK(error.check(api->describe(&about, &error), "describe"));

  std::vector<ds4_device_info> devices(index + 1);
  for (auto& entry_info : devices) entry_info.struct_size = sizeof(ds4_device_info);
  std::uint32_t count = 0;
  DS4_CHECK(error.check(api->enumerate(devices.data(), index + 1, &count, &error), "enumerate"));
  if (count <= index) {
    return fail(Errc::unsupported, about.name, ": wanted device ", index, ", it has ", count, ": ",
                api->device_reason(index));
  }
  const ds4_device_info& chosen = devices[index];
  if (chosen.memory_kinds == 0) return fail(Errc::unsupported, about.name, ": no memory kind");
  memory_kind = chosen.memory[0].kind;
  alignment = chosen.memory[0].alignment;
  title = std::string(about.name) + " " + about.version + " on " + chosen.name;
  info = chosen;

  ds4_device_options options{};
  options.struct_size = sizeof(options);
  options.flags = DS4_DEVICE_VALIDATE;
  options.host = &host;
  DS4_CHECK(error.check(api->device_open(index, &options, &device, &error), "device_open"));
  if ((info.capabilities & DS4_CAP_GRAPH) != 0) {
    graph = static_cast<const ds4_graph_api*>(api->get_extension("ds4.graph", 1));
  }
  return error.check(api->stream_create(device, &stream, &error), "stream_create");
}

Result<void> Backend::State::reserve_workspace(std::uint64_t bytes) {
  if (bytes <= workspace_bytes) return {};
  if (workspace) api->buffer_destroy(workspace);
  workspace = nullptr;
  workspace_bytes = 0;
  CallError error;
  DS4_CHECK(error.check(
      api->buffer_create(device, bytes, memory_kind, DS4_USAGE_ACTIVATION, &workspace, &error),
      "buffer_create of the workspace"));
  workspace_bytes = bytes;
  return {};
}

Backend::Backend(std::unique_ptr<State> state) : state_(std::move(state)) {}
Backend::~Backend() = default;

Result<std::unique_ptr<Backend>> Backend::open(const std::filesystem::path& file,
                                               const OpenOptions& options) {
  auto state = std::make_unique<State>(options);
  DS4_CHECK(state->open(file, options.device));
  return std::unique_ptr<Backend>(new Backend(std::move(state)));
}

Result<std::unique_ptr<Backend>> Backend::open(const std::filesystem::path& file,
                                               std::uint32_t device, std::uint32_t threads) {
  return open(file, OpenOptions{device, threads, {}, nullptr});
}

const std::string& Backend::title() const noexcept {
  return state_->title;
}
std::uint64_t Backend::alignment() const noexcept {
  return state_->alignment;
}

Result<ds4_buffer*> Backend::create_buffer(std::uint64_t bytes) {
  CallError error;
  ds4_buffer* buffer = nullptr;
  DS4_CHECK(error.check(state_->api->buffer_create(state_->device, bytes, state_->memory_kind,
                                                   DS4_USAGE_ACTIVATION, &buffer, &error),
                        "buffer_create"));
  return buffer;
}

void Backend::destroy_buffer(ds4_buffer* buffer) noexcept {
  state_->api->buffer_destroy(buffer);
}

Result<void> Backend::write(ds4_buffer* buffer, std::span<const std::byte> bytes) {
  CallError error;
  DS4_CHECK(error.check(
      state_->api->buffer_write(state_->stream, buffer, 0, bytes.data(), bytes.size(), &error),
      "buffer_write"));
  return error.check(state_->api->stream_sync(state_->stream, &error), "stream_sync");
}

Result<void> Backend::read(const ds4_buffer* buffer, std::span<std::byte> bytes) {
  CallError error;
  DS4_CHECK(error.check(
      state_->api->buffer_read(state_->stream, buffer, 0, bytes.data(), bytes.size(), &error),
      "buffer_read"));
  return error.check(state_->api->stream_sync(state_->stream, &error), "stream_sync");
}

bool Backend::accepts(const ds4_weight_desc& desc) {
  ds4_weight_answer answer{};
  answer.struct_size = sizeof(answer);
  CallError error;
  return state_->api->weight_query(state_->device, &desc, &answer, &error) == DS4_OK &&
         answer.accepted != 0;
}

Result<ds4_weight*> Backend::create_weight(const ds4_weight_desc& desc,
                                           std::span<const std::byte> bytes) {
  const ds4_backend_api& api = *state_->api;
  CallError error;
  ds4_import* import = nullptr;
  DS4_CHECK(error.check(api.weight_import_begin(state_->device, &desc, 0, &import, &error),
                        "weight_import_begin"));
  const std::size_t half = bytes.size() / 2;
  for (const auto& [begin, part] :
       {std::pair{std::size_t{0}, bytes.first(half)}, std::pair{half, bytes.subspan(half)}}) {
    const ds4_status status =
        api.weight_import_write(import, begin, part.data(), part.size(), &error);
    if (status != DS4_OK) api.weight_import_abort(import);
    DS4_CHECK(error.check(status, "weight_import_write"));
  }
  ds4_weight* weight = nullptr;
  DS4_CHECK(error.check(api.weight_import_finish(import, &weight, &error), "weight_import_finish"));
  return weight;
}

Result<ds4_weight*> Backend::create_weight(const ds4_weight_desc& desc, const Fill& fill) {
  constexpr std::uint64_t kChunk = std::uint64_t{4} << 20;
  const ds4_backend_api& api = *state_->api;
  CallError error;
  ds4_import* import = nullptr;
  DS4_CHECK(error.check(api.weight_import_begin(state_->device, &desc, 0, &import, &error),
                        "weight_import_begin"));
  std::vector<std::byte> chunk(std::min(kChunk, desc.bytes));
  for (std::uint64_t at = 0; at < desc.bytes; at += kChunk) {
    const auto part = std::span(chunk).first(std::min(kChunk, desc.bytes - at));
    fill(at, part);
    const ds4_status status = api.weight_import_write(import, at, part.data(), part.size(), &error);
    if (status != DS4_OK) api.weight_import_abort(import);
    DS4_CHECK(error.check(status, "weight_import_write"));
  }
  ds4_weight* weight = nullptr;
  DS4_CHECK(error.check(api.weight_import_finish(import, &weight, &error), "weight_import_finish"));
  return weight;
}

void Backend::destroy_weight(ds4_weight* weight) noexcept {
  state_->api->weight_destroy(weight);
}

Result<std::uint32_t> Backend::support(const ds4_op& op, std::string* why) {
  ds4_op_support answer{};
  answer.struct_size = sizeof(answer);
  CallError error;
  DS4_CHECK(
      error.check(state_->api->op_support(state_->device, &op, &answer, &error), "op_support"));
  if (why) why->append(answer.reason);
  return answer.level;
}

Result<void> Backend::State::submission(std::span<const ds4_op* const> ops, const ds4_view& step,
                                        ds4_submission& out) {
  const auto count = static_cast<std::uint32_t>(ops.size());
  CallError error;
  std::uint64_t bytes = 0;
  DS4_CHECK(error.check(api->workspace_size(device, ops.data(), count, &bytes, &error),
                        "workspace_size"));
  DS4_CHECK(reserve_workspace(bytes));
  if (workspace_fill && workspace_bytes != 0) {
    DS4_CHECK(error.check(
        api->buffer_fill(stream, workspace, 0, workspace_bytes, *workspace_fill, &error),
        "buffer_fill of the workspace"));
  }
  descriptors.resize(std::max(descriptors.size(), ops.size()));
  pointers.resize(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    descriptors[i].resize((ops[i]->struct_size + 7) / 8);
    std::memcpy(descriptors[i].data(), ops[i], ops[i]->struct_size);
    pointers[i] = reinterpret_cast<const ds4_op*>(descriptors[i].data());
  }
  out = {};
  out.struct_size = sizeof(out);
  out.count = count;
  out.ops = pointers.data();
  out.step = step;
  if (bytes != 0) {
    const auto words = static_cast<std::uint32_t>((bytes + 3) / 4);
    out.workspace = make_view(workspace, 0, DS4_DTYPE_F32, {words});
  }
  return {};
}

Result<void> Backend::run(std::span<const ds4_op* const> ops, const ds4_view& step) {
  State& s = *state_;
  CallError error;
  ds4_submission submission{};
  DS4_CHECK(s.submission(ops, step, submission));
  const std::uint64_t before = s.allocations();
  const ds4_status status = s.api->enqueue(s.stream, &submission, &error);
  s.enqueue_allocations += s.allocations() - before;
  if (s.after_enqueue) s.after_enqueue();
  for (std::vector<std::uint64_t>& words : s.descriptors) {
    std::fill(words.begin(), words.end(), 0xDBDBDBDBDBDBDBDBULL);
  }
  std::fill(s.pointers.begin(), s.pointers.end(), nullptr);
  DS4_CHECK(error.check(status, "enqueue"));
  return error.check(s.api->stream_sync(s.stream, &error), "stream_sync");
}

Result<void> Backend::flush_caches() {
  const ds4_backend_api& api = *state_->api;
  CallError error;
  if (state_->flushed == nullptr) {
    DS4_TRY(state_->flushed, create_buffer(2 * kBeyondCaches));
  }
  DS4_CHECK(error.check(api.buffer_fill(state_->stream, state_->flushed, 0, kBeyondCaches,
                                        ++state_->flush_value, &error),
                        "buffer_fill"));
  return error.check(api.stream_sync(state_->stream, &error), "stream_sync");
}

Result<double> Backend::read_bandwidth() {
  using Clock = std::chrono::steady_clock;
  const ds4_backend_api& api = *state_->api;
  CallError error;
  double best = 0;
  DS4_CHECK(flush_caches());
  const bool is_host = state_->info.kind == DS4_DEVICE_KIND_CPU;
  std::vector<std::uint64_t> words(is_host ? kBeyondCaches / 8 : 0, 1);
  std::atomic<std::uint64_t> total{0};
  for (int i = 0; i < 5; ++i) {
    const auto begin = Clock::now();
    if (is_host) {
      const auto read = [&](std::uint32_t thread, std::uint32_t threads) {
        const std::size_t part = words.size() / threads;
        const std::uint64_t* at = words.data() + thread * part;
        std::uint64_t sums[8] = {};
        for (std::size_t k = 0; k + 8 <= part; k += 8) {
          for (std::size_t j = 0; j < 8; ++j) sums[j] += at[k + j];
        }
        for (const std::uint64_t sum : sums) total += sum;
      };
      auto call = [](void* arg, std::uint32_t thread, std::uint32_t threads) {
        (*static_cast<const decltype(read)*>(arg))(thread, threads);
      };
      state_->host_state.team.run(call, const_cast<void*>(static_cast<const void*>(&read)));
    } else {
      DS4_CHECK(error.check(api.buffer_copy(state_->stream, state_->flushed, kBeyondCaches,
                                            state_->flushed, 0, kBeyondCaches, &error),
                            "buffer_copy"));
      DS4_CHECK(error.check(api.stream_sync(state_->stream, &error), "stream_sync"));
    }
    const std::chrono::duration<double> taken = Clock::now() - begin;
    best = std::max(best, (is_host ? 1.0 : 2.0) * kBeyondCaches / taken.count());
  }
  if (is_host && total == 0) return fail(Errc::internal, "the bandwidth probe read nothing");
  return best;
}

void Backend::set_workspace_fill(std::optional<std::uint8_t> fill) noexcept {
  state_->workspace_fill = fill;
}
std::uint64_t Backend::take_enqueue_allocations() noexcept {
  return std::exchange(state_->enqueue_allocations, 0);
}
void Backend::set_after_enqueue(std::function<void()> look) {
  state_->after_enqueue = std::move(look);
}

bool Backend::takes_graph(std::span<const ds4_op* const> ops) {
  const State& s = *state_;
  return s.graph != nullptr &&
         s.graph->graph_supported(s.device, ops.data(), static_cast<std::uint32_t>(ops.size())) !=
             0;
}

Result<ds4_graph*> Backend::capture(std::span<const ds4_op* const> ops, const ds4_view& step) {
  State& s = *state_;
  CallError error;
  ds4_submission submission{};
  DS4_CHECK(s.submission(ops, step, submission));
  ds4_graph* graph = nullptr;
  DS4_CHECK(
      error.check(s.graph->graph_capture(s.stream, &submission, &graph, &error), "graph_capture"));
  for (std::vector<std::uint64_t>& words : s.descriptors) {
    std::fill(words.begin(), words.end(), 0xDBDBDBDBDBDBDBDBULL);
  }
  return graph;
}

Result<void> Backend::launch(ds4_graph* graph) {
  State& s = *state_;
  CallError error;
  const std::uint64_t before = s.allocations();
  const ds4_status status = s.graph->graph_launch(graph, s.stream, &error);
  s.enqueue_allocations += s.allocations() - before;
  DS4_CHECK(error.check(status, "graph_launch"));
  return error.check(s.api->stream_sync(s.stream, &error), "stream_sync");
}

void Backend::destroy_graph(ds4_graph* graph) noexcept {
  if (graph != nullptr) state_->graph->graph_destroy(graph);
}

const ds4_backend_api& Backend::api() const noexcept {
  return *state_->api;
}
const ds4_device_info& Backend::info() const noexcept {
  return state_->info;
}
const ds4_host_api& Backend::host() const noexcept {
  return state_->host;
}
HostMemory& Backend::host_memory() noexcept {
  HostState& host = state_->host_state;
  host.memory.calls = host.calls;
  host.memory.live = host.live;
  host.memory.polls = host.polls;
  return host.memory;
}
ds4_device* Backend::device() const noexcept {
  return state_->device;
}
ds4_stream* Backend::stream() const noexcept {
  return state_->stream;
}
bool Backend::has(std::uint64_t capability) const noexcept {
  return (state_->info.capabilities & capability) == capability;
}

}  // namespace ds4::conformance
