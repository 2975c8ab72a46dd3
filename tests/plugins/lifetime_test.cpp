// Objects keep what they stand on alive, whatever is dropped first.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <optional>

#include "scene.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;

namespace {

std::shared_ptr<Device> open_good(Scene& scene) {
  scene.add("good");
  BackendSearchOptions options = scene.options();
  options.probe = ProbePolicy::never;
  std::optional<Registry> registry = scene.scan(options);
  auto selected = registry->select("good");
  BOOST_REQUIRE(selected.ok());
  auto device = selected->open();
  BOOST_REQUIRE(device.ok());
  return *device;  // registry and selection go here
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lifetime)

BOOST_AUTO_TEST_CASE(a_buffer_outlives_registry_backend_and_device_and_frees_everything_at_last) {
  Scene scene;
  std::shared_ptr<Device> device = open_good(scene);
  auto buffer = device->create_buffer(1000, DS4_MEMORY_HOST, DS4_USAGE_STAGING);
  auto stream = device->create_stream();
  BOOST_REQUIRE(buffer.ok());
  BOOST_REQUIRE(stream.ok());
  device.reset();
  const char text[] = "still here";
  BOOST_TEST(stream->fill(*buffer, 0, 1000, 7).ok());
  BOOST_TEST(stream->write(*buffer, 10, std::as_bytes(std::span(text))).ok());
  char read[sizeof text + 1];
  BOOST_TEST(stream->read(*buffer, 9, std::as_writable_bytes(std::span(read))).ok());
  BOOST_TEST(stream->sync().ok());
  BOOST_TEST(read[0] == 7);
  BOOST_TEST(std::memcmp(read + 1, text, sizeof text) == 0);
  BOOST_TEST(scene.host->allocated_bytes() > 1000u);
  stream->reset();
  buffer->reset();
  BOOST_TEST(scene.host->allocated_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(failures_of_the_table_become_errors_that_name_layer_and_op) {
  Scene scene;
  const std::shared_ptr<Device> device = open_good(scene);
  auto stream = device->create_stream();
  BOOST_REQUIRE(stream.ok());
  ds4_op op{};
  op.struct_size = sizeof op;
  op.id = 12;
  op.tag = (7u << 16) | 3u;
  const ds4_op* ops[] = {&op};
  ds4_submission submission{};
  submission.count = 1;
  submission.ops = ops;
  const auto done = stream->enqueue(submission);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code == Errc::unsupported));
  BOOST_TEST(done.error().what == "good:0: enqueue: layer 7, op 3 of the plan (id 12): runs no op");
  const auto support = device->op_support(op);
  BOOST_REQUIRE(support.ok());
  BOOST_TEST((support->level == SupportLevel::no));
  BOOST_TEST(support->reason == "test backend");
  const auto missing = device->create_buffer(1, DS4_MEMORY_DEVICE, DS4_USAGE_KV);
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(what_a_device_does_not_offer_is_unsupported) {
  Scene scene;
  const std::shared_ptr<Device> device = open_good(scene);
  BOOST_TEST(!device->create_event().ok());
  BOOST_TEST(!device->stats().ok());
  BOOST_TEST(!device->graph_supported({}));
  BOOST_TEST(device->trim().ok());
  BOOST_TEST(!device->begin_import({}).ok());
  BOOST_TEST((device->memory_kind(DS4_MEMORY_DEVICE) == nullptr));
  BOOST_TEST(device->memory_kind(DS4_MEMORY_HOST)->alignment == 64u);
}

BOOST_AUTO_TEST_CASE(two_runtimes_in_one_process_do_not_share_state) {
  Scene first;
  Scene second;
  const std::shared_ptr<Device> a = open_good(first);
  const std::shared_ptr<Device> b = open_good(second);
  BOOST_TEST(first.host->allocated_bytes() > 0u);
  BOOST_TEST(second.host->allocated_bytes() == first.host->allocated_bytes());
}

#if !DS4_BUILD_SANITIZED
BOOST_AUTO_TEST_CASE(a_library_is_closed_only_when_that_was_asked_for) {
  Scene scene;
  const auto kept = scene.add("good", "kept");
  const auto closed = scene.add("good", "closed");
  BOOST_REQUIRE(PluginLibrary::open(kept, {}).ok());
  BOOST_TEST(PluginLibrary::is_mapped(kept));
  {
    auto library = PluginLibrary::open(closed, {});
    BOOST_REQUIRE(library.ok());
    (*library)->close_when_released();
    BOOST_TEST(PluginLibrary::is_mapped(closed));
  }
  BOOST_TEST(!PluginLibrary::is_mapped(closed));
}

BOOST_AUTO_TEST_CASE(a_library_that_stays_mapped_after_its_close_is_seen) {
  Scene scene;
  const auto sticky = scene.add("good-sticky");
  {
    auto library = PluginLibrary::open(sticky, {});
    BOOST_REQUIRE(library.ok());
    (*library)->close_when_released();
  }
  BOOST_TEST(PluginLibrary::is_mapped(sticky));
}
#endif

BOOST_AUTO_TEST_SUITE_END()
