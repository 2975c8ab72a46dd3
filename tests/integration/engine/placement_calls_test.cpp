// What an engine asks of several devices in a step, and what it does when one of them fails.
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "tests/integration/engine/history.hpp"

namespace ds4::test {
namespace {

/// What the reference was asked to do since the last reset. Tests run one engine at a time.
struct Calls {
  std::size_t syncs = 0, submissions = 0, writes = 0, reads = 0, written = 0;
  std::size_t fail_read_after = ~std::size_t{0};
} calls;
const ds4_backend_api* original = nullptr;

ds4_status count_sync(ds4_stream* stream, ds4_error* error) {
  ++calls.syncs;
  return original->stream_sync(stream, error);
}

ds4_status count_enqueue(ds4_stream* stream, const ds4_submission* submission, ds4_error* error) {
  ++calls.submissions;
  return original->enqueue(stream, submission, error);
}

ds4_status count_write(ds4_stream* stream, ds4_buffer* to, std::uint64_t offset, const void* from,
                       std::uint64_t bytes, ds4_error* error) {
  ++calls.writes;
  calls.written += bytes;
  return original->buffer_write(stream, to, offset, from, bytes, error);
}

ds4_status count_read(ds4_stream* stream, const ds4_buffer* from, std::uint64_t offset, void* to,
                      std::uint64_t bytes, ds4_error* error) {
  if (calls.reads++ >= calls.fail_read_after) return DS4_E_INTERNAL;
  return original->buffer_read(stream, from, offset, to, bytes, error);
}

ds4_status refuse_pages(ds4_device* device, const ds4_op* op, ds4_op_support* out,
                        ds4_error* error) {
  const ds4_status status = original->op_support(device, op, out, error);
  if (op->id == DS4_OP_PAGE_ROWS) out->level = DS4_SUPPORT_NO;
  return status;
}

std::shared_ptr<plugins::Device> counted_device() {
  return open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.stream_sync = count_sync;
    table.enqueue = count_enqueue;
    table.buffer_write = count_write;
    table.buffer_read = count_read;
  });
}

EngineDevices counted(const MicroPlacement& placement) {
  EngineDevices out = devices_of(placement);
  for (auto& device : out.devices) device = counted_device();
  return out;
}

std::size_t borders_of(const MicroPlacement& placement) {
  std::size_t borders = 0;
  for (std::size_t i = 1; i < placement.on.size(); ++i) {
    borders += placement.on[i] != placement.on[i - 1] ? 1 : 0;
  }
  return borders;
}

struct Fixture {
  Fixture() : path(folder.path() / "micro.gguf") {
    must(write_synthetic_model(path, must(SyntheticSpec::make("micro"))));
  }
  [[nodiscard]] ModelFile model() const { return must(ModelFile::open(path)); }
  TemporaryFolder folder;
  std::filesystem::path path;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(placed_calls, Fixture)

BOOST_AUTO_TEST_CASE(a_step_waits_once_for_each_border_and_once_at_its_end) {
  const auto run = [this](const MicroPlacement& placement, bool wants_logits) {
    const auto engine = must(Engine::open(model(), counted(placement), micro_options()));
    const SessionId session = must(engine->create_session());
    const StepRow first{session, 3, true};
    must(engine->step({.decode = {&first, 1}, .prefill = {}, .read_logits = true, .forced = {}}));
    const StepRow row{session, 4, wants_logits};
    calls = {};
    must(engine->step({.decode = {&row, 1}, .prefill = {}, .read_logits = true, .forced = {}}));
    return calls;
  };
  const MicroPlacement whole{"one device", {0, 0, 0, 0, 0, 0}};
  const Calls one = run(whole, true);
  BOOST_TEST(one.syncs == 1U);
  BOOST_TEST(one.submissions == 1U);
  BOOST_TEST(one.writes == 1U);  // the step block
  for (const MicroPlacement& placement : kMicroPlacements) {
    BOOST_TEST_CONTEXT(placement.what) {
      const std::size_t borders = borders_of(placement);
      const std::size_t devices = 1 + *std::max_element(placement.on.begin(), placement.on.end());
      const Calls several = run(placement, true);
      BOOST_TEST(several.syncs == borders + 1);
      BOOST_TEST(several.submissions == borders + 1);
      BOOST_TEST(several.writes == devices + borders);  // step blocks and streams
      BOOST_TEST(several.written == devices * one.written + borders * 4 * 64 * sizeof(float));
      const bool is_head_alone = placement.on[4] != placement.on[5];
      BOOST_TEST(run(placement, false).submissions == borders + (is_head_alone ? 0 : 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_between_devices_changes_no_session) {
  const Tokens tokens = random_tokens(65, 200, kMicroVocab);
  const auto one = engine_over(path, micro_options());
  const std::vector<float> expected = all_logits(*one, must(one->create_session()), tokens, 64);
  for (const MicroPlacement& placement : kMicroPlacements) {
    BOOST_TEST_CONTEXT(placement.what) {
      const auto engine = must(Engine::open(model(), counted(placement), micro_options()));
      const SessionId session = must(engine->create_session());
      calls = {};
      const std::size_t borders = borders_of(placement);
      std::vector<float> seen;
      for (std::size_t at = 0; at < tokens.size(); at += 10) {
        std::vector<StepRow> rows;
        for (std::size_t i = at; i < at + 10; ++i) rows.push_back({session, tokens[i], true});
        const StepRequest request{.decode = {}, .prefill = rows, .read_logits = true, .forced = {}};
        calls.fail_read_after = calls.reads + at / 10 % borders;
        BOOST_TEST(!engine->step(request));
        BOOST_TEST(engine->position(session) == at);
        calls.fail_read_after = ~std::size_t{0};
        const StepOutput output = must(engine->step(request));
        seen.insert(seen.end(), output.logits.begin(), output.logits.end());
      }
      BOOST_TEST((seen == expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_device_cannot_do_is_said_with_its_layers) {
  EngineDevices devices = devices_of(kMicroPlacements[0]);
  devices.devices[1] = open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.op_support = refuse_pages;
  });
  const auto refused = Engine::open(model(), devices, micro_options());
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code == Errc::unsupported));
  BOOST_TEST(refused.error().what.find("layers 2-3, head on cpu-reference: ") == 0U,
             refused.error().what);
  BOOST_TEST(refused.error().what.find("page_rows") != std::string::npos, refused.error().what);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
