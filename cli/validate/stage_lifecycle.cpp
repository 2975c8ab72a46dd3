// Objects made and destroyed in every legal order, without anything left behind.
#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/conformance/harness/random.hpp"
#include "validate/process.hpp"
#include "validate/session.hpp"
#include "validate/small_op.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;
using conformance::Random;

void enter_twice(Session& session) {
  Checklist list("lifecycle", "entry and enumerate");
  const ds4_backend_api& api = session.backend().api();
  for (const auto& [present, name] : {std::pair{api.describe != nullptr, "describe"},
                                      {api.enumerate != nullptr, "enumerate"},
                                      {api.device_reason != nullptr, "device_reason"},
                                      {api.device_open != nullptr, "device_open"},
                                      {api.enqueue != nullptr, "enqueue"},
                                      {api.get_extension != nullptr, "get_extension"}}) {
    list.expect(present, std::string("the table lacks ") + name);
  }
  auto again = session.open_again(1);
  list.expect(again.ok(), again ? "" : again.error().what);
  if (again) list.expect(&(*again)->api() == &api, "a second entry gives another table");
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  list.expect_status(api.enumerate(nullptr, 0, &first, nullptr), DS4_OK, "enumerate");
  list.expect_status(api.enumerate(nullptr, 0, &second, nullptr), DS4_OK, "enumerate again");
  list.expect(first == second, "enumerate counts other devices the second time");
  list.expect(api.device_reason(first + 7) != nullptr, "device_reason of no device is null");
  session.report().add(list.row(session));
}

/// Makes objects and destroys them in random legal order: the device last.
Result<void> churn(Backend& backend, Random& random) {
  const ds4_backend_api& api = backend.api();
  std::vector<ds4_buffer*> buffers;
  std::vector<ds4_stream*> streams;
  std::vector<ds4_weight*> weights;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < 4; ++i) {
    DS4_TRY(ds4_buffer* const buffer, backend.create_buffer(random.below(3) * 1000));
    buffers.push_back(buffer);
    ds4_stream* stream = nullptr;
    if (api.stream_create(backend.device(), &stream, nullptr) != DS4_OK) {
      return fail(Errc::internal, "stream_create fails");
    }
    streams.push_back(stream);
    const std::vector<float> values = SmallOp::weight_values();
    DS4_TRY(ds4_weight* const weight,
            backend.create_weight(SmallOp::weight_desc(), std::as_bytes(std::span(values))));
    weights.push_back(weight);
    ds4_import* import = nullptr;
    const ds4_weight_desc desc = SmallOp::weight_desc();
    if (api.weight_import_begin(backend.device(), &desc, 0, &import, nullptr) != DS4_OK) {
      return fail(Errc::internal, "weight_import_begin fails");
    }
    api.weight_import_abort(import);
    for (std::uint32_t kind = 0; kind < 3; ++kind) order.push_back(3 * i + kind);
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  }
  for (const std::uint32_t which : order) {
    const std::uint32_t i = which / 3;
    if (which % 3 == 0) api.buffer_destroy(buffers[i]);
    if (which % 3 == 1) api.stream_destroy(streams[i]);
    if (which % 3 == 2) api.weight_destroy(weights[i]);
  }
  return {};
}

void open_and_close(Session& session) {
  const std::uint32_t rounds = session.settings().grid == conformance::Grid::full ? 100 : 30;
  Checklist list("lifecycle", "open and close " + std::to_string(rounds));
  Random random(session.settings().seed, "lifecycle");
  const auto round = [&]() -> Result<void> {
    DS4_TRY(const std::unique_ptr<Backend> other, session.open_again(1));
    DS4_CHECK(churn(*other, random));
    {
      DS4_TRY(const std::unique_ptr<SmallOp> op, SmallOp::make(*other));
      DS4_CHECK(op->run());
    }
    // Closing is the destructor's; what the host's allocator still holds then shows below.
    return {};
  };
  for (std::uint32_t i = 0; i < 12; ++i) list.expect(round());  // caches fill, the allocator's too
  const Holdings before = holdings();
  // What is lost is lost in every part; a cache that fills grows in one. The least growth counts.
  constexpr std::uint32_t kParts = 3;
  std::uint64_t growth = ~std::uint64_t{0};
  Holdings after = before;
  for (std::uint32_t part = 0; part < kParts; ++part) {
    const std::uint64_t heap = after.heap_bytes;
    for (std::uint32_t i = 0; i < rounds / kParts && list.ok(); ++i) list.expect(round());
    after = holdings();
    growth = std::min(growth, after.heap_bytes > heap ? after.heap_bytes - heap : 0);
  }
  // A thread that was joined leaves the count a moment after the join.
  for (std::uint32_t i = 0; after.threads > before.threads && i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    after = holdings();
  }
  list.expect(after.threads <= before.threads, "threads grow from " +
                                                   std::to_string(before.threads) + " to " +
                                                   std::to_string(after.threads));
  list.expect(after.descriptors <= before.descriptors,
              "open files grow from " + std::to_string(before.descriptors) + " to " +
                  std::to_string(after.descriptors));
  // A loss of 64 bytes a round is more than the allocator's own noise.
  list.expect(growth < std::uint64_t{64} * (rounds / kParts),
              "the heap grows by " + std::to_string(growth) + " bytes in every " +
                  std::to_string(rounds / kParts) + " rounds");
  session.report().add(list.row(session));
}

void host_memory(Session& session) {
  Checklist list("lifecycle", "host allocator");
  auto opened = session.open_again(1);
  list.expect(opened.ok(), opened ? "" : opened.error().what);
  if (opened) {
    Backend& backend = **opened;
    Random random(session.settings().seed, "host allocator");
    const std::uint64_t before = backend.host_memory().live;
    list.expect(churn(backend, random));
    const std::uint64_t after = backend.host_memory().live;
    list.expect(after <= before, std::to_string(after - before) +
                                     " blocks of the host's allocator are not given back");
  }
  session.report().add(list.row(session));
}

void survivors(Session& session) {
  Checklist list("lifecycle", "close with survivors");
  const ds4_backend_api& api = session.backend().api();
  ds4_device_options options{};
  options.struct_size = sizeof(options);
  options.host = &session.backend().host();
  ds4_device* device = nullptr;
  list.expect_status(api.device_open(session.target().device, &options, &device, nullptr), DS4_OK,
                     "device_open");
  if (device != nullptr) {
    ds4_stream* stream = nullptr;
    list.expect_status(api.stream_create(device, &stream, nullptr), DS4_OK, "stream_create");
    const ds4_status early = api.device_close(device, nullptr);
    list.expect_status(early, DS4_E_INVALID_ARGUMENT, "device_close with a stream alive");
    if (early != DS4_OK) {
      api.stream_destroy(stream);
      list.expect_status(api.device_close(device, nullptr), DS4_OK, "device_close");
    }
  }
  session.report().add(list.row(session));
}

void destroy_null(Session& session) {
  Checklist list("lifecycle", "destroy of null");
  const ds4_backend_api& api = session.backend().api();
  api.buffer_destroy(nullptr);
  api.stream_destroy(nullptr);
  api.weight_destroy(nullptr);
  api.weight_import_abort(nullptr);
  if (DS4_HAS(ds4_backend_api, &api, event_destroy)) api.event_destroy(nullptr);
  list.expect(true, "");
  session.report().add(list.row(session));
}

}  // namespace

void run_lifecycle(Session& session) {
  enter_twice(session);
  open_and_close(session);
  host_memory(session);
  survivors(session);
  destroy_null(session);
  run_struct_sizes(session);
}

}  // namespace ds4::validate
