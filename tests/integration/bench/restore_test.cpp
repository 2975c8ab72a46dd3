// A sweep on a device whose copies do nothing: a state that is restored is not the one that was
// kept.
#include <boost/test/unit_test.hpp>

#include "bench/sweep.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

/// More tokens than a session gives back without a restore point.
constexpr std::uint32_t kDecoded = kRewindRows + 8;

bench::BenchOptions short_sweep() {
  bench::BenchOptions options;
  options.first = 40;
  options.last = 80;
  options.increment = 40;
  options.generated = kDecoded;
  return options;
}

Result<void> sweep_on(std::shared_ptr<plugins::Device> device, bool checks) {
  const TemporaryFolder folder;
  ModelFile model = make_model(folder, must(SyntheticSpec::make("micro")));
  EngineOptions engine_options;
  engine_options.context = 128;
  engine_options.restore_points = 2;
  engine_options.prefill_rows = 32;
  const auto engine = must(Engine::open(std::move(model), std::move(device), engine_options));
  const std::vector<std::int32_t> tokens = random_tokens(3, 80, engine->model().config().vocab);
  const bench::Roofline roofline(engine->model(), engine->options().roundings);
  bench::Sweep sweep;
  sweep.engine = engine.get();
  sweep.tokens = tokens;
  sweep.roofline = &roofline;
  sweep.checks_restore = checks;
  sweep.on_row = [](const bench::BenchRow&) -> Result<void> { return {}; };
  return run_sweep(short_sweep(), sweep);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_restore)

BOOST_AUTO_TEST_CASE(a_device_that_keeps_states_gives_the_same_bits_again) {
  const auto done = sweep_on(open_device("cpu-reference", 1), true);
  BOOST_TEST(done.ok(), done.error().what);
}

BOOST_AUTO_TEST_CASE(a_state_that_was_lost_ends_the_sweep) {
  const auto without_copies = [] {
    return open_changed_device("cpu-reference", [](ds4_backend_api& api) {
      api.buffer_copy = [](ds4_stream*, ds4_buffer*, std::uint64_t, const ds4_buffer*,
                           std::uint64_t, std::uint64_t,
                           ds4_error*) -> ds4_status { return DS4_OK; };
    });
  };
  const auto found = sweep_on(without_copies(), true);
  BOOST_TEST_REQUIRE(!found.ok());
  BOOST_TEST(found.error().what.find("at 40 tokens: going back is not exact") != std::string::npos,
             found.error().what);
  // Nothing else would have noticed.
  BOOST_TEST(sweep_on(without_copies(), false).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
