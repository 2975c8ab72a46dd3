// Models whose routed experts come through a cache: the bits are those of the model with all
// experts in memory, whatever the cache holds.
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

#include "engine/expert_layout.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

using Tokens = std::vector<std::int32_t>;

EngineOptions options() {
  EngineOptions out;
  out.context = 512;
  out.prefill_rows = 128;
  out.logits_rows = 128;
  out.sessions = 3;
  return out;
}

EngineOptions with_cache(std::uint64_t bytes) {
  EngineOptions out = options();
  out.experts = {ExpertCacheOptions::Mode::fixed, bytes};
  return out;
}

/// The reference, and the levels of this build that run here.
std::vector<std::string> backends() {
  std::vector<std::string> out = levels_here({DS4_CPU_LEVELS});
  out.insert(out.begin(), "cpu-reference");
  return out;
}

ExpertLayout layout_of(const ModelFile& model, const plugins::Device& device) {
  return must(ExpertLayout::make(
      model, [&device](const ds4_weight_desc& desc) { return device.weight_query(desc); }));
}

std::string refusal(ModelFile model, std::shared_ptr<plugins::Device> device,
                    EngineOptions wanted) {
  const auto engine = Engine::open(std::move(model), std::move(device), std::move(wanted));
  return engine ? "" : engine.error().what;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Packing that fails for some time, as a disk may.
const ds4_backend_api* original = nullptr;
bool packing_fails = false;

ds4_status pack_or_fail(const ds4_weight_desc* desc, std::uint32_t expert, const void* from,
                        void* to, ds4_error* error) {
  return packing_fails ? DS4_E_IO : original->weight_pack_expert(desc, expert, from, to, error);
}

std::shared_ptr<plugins::Device> failing_device() {
  return open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.weight_pack_expert = pack_or_fail;
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streamed_experts)

BOOST_AUTO_TEST_CASE(a_cache_of_any_size_changes_no_bit) {
  const TemporaryFolder folder;
  for (const std::string& backend : backends()) {
    for (const std::string shape : {"micro", "tiny-iq2_xxs"}) {
      // The reference takes its time: the larger model is for the levels and their layouts.
      if ((backend == "cpu-reference" || kIsSanitized) && shape != "micro") continue;
      const auto resident =
          must(Engine::open(model_in(folder, shape), open_device(backend, 2), options()));
      const Tokens tokens = random_tokens(3, 130, resident->config().vocab);
      const std::vector<float> expected =
          all_logits(*resident, must(resident->create_session()), tokens, 128);
      BOOST_TEST(!resident->expert_report().has_value());
      const ExpertLayout layout = layout_of(resident->model(), *resident->devices().devices[0]);
      const std::uint64_t all = layout.all();
      for (const std::uint64_t held : {all, all / 2, all / 4, std::uint64_t{layout.least}}) {
        const std::uint64_t slots = std::max<std::uint64_t>(held, layout.least);
        for (const std::uint32_t threads : {1U, 2U}) {
          const auto engine =
              must(Engine::open(model_in(folder, shape), open_device(backend, threads),
                                with_cache(slots * layout.slot_bytes())));
          BOOST_TEST(engine->expert_report()->held == slots);
          for (const std::uint32_t chunk : {128U, threads == 1 ? 7U : 1U}) {
            const SessionId session = must(engine->create_session());
            BOOST_TEST_CONTEXT(backend << " " << shape << ", " << slots << " of " << all
                                       << " experts, " << threads << " threads, chunks of "
                                       << chunk) {
              BOOST_TEST((all_logits(*engine, session, tokens, chunk) == expected));
            }
            engine->close_session(session);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sessions_that_decode_together_get_the_same_bits) {
  const TemporaryFolder folder;
  for (const std::string& backend : backends()) {
    const auto resident =
        must(Engine::open(model_in(folder, "micro"), open_device(backend, 2), options()));
    const ExpertLayout layout = layout_of(resident->model(), *resident->devices().devices[0]);
    const auto streamed = must(Engine::open(model_in(folder, "micro"), open_device(backend, 2),
                                            with_cache(layout.least * layout.slot_bytes())));
    const Tokens tokens = random_tokens(9, 60, resident->config().vocab);
    std::vector<SessionId> of_resident, of_streamed;
    for (int i = 0; i < 3; ++i) {
      of_resident.push_back(must(resident->create_session()));
      of_streamed.push_back(must(streamed->create_session()));
    }
    for (std::size_t t = 0; t < 20; ++t) {
      std::vector<StepRow> a, b;
      for (std::size_t s = 0; s < 3; ++s) {
        a.push_back({of_resident[s], tokens[3 * t + s], true});
        // What was sampled last names its id on the device: the experts are foretold all the same.
        b.push_back({of_streamed[s], tokens[3 * t + s], true});
      }
      const StepOutput x =
          must(resident->step({.decode = a, .prefill = {}, .read_logits = true, .forced = {}}));
      const StepOutput y =
          must(streamed->step({.decode = b, .prefill = {}, .read_logits = true, .forced = {}}));
      BOOST_TEST_CONTEXT(backend << ", step " << t) {
        BOOST_TEST(std::equal(x.logits.begin(), x.logits.end(), y.logits.begin(), y.logits.end()));
      }
    }
    const StepRow again[] = {{of_streamed[0], -1, true}, {of_streamed[1], -2, true}};
    const StepRow same[] = {{of_resident[0], -1, true}, {of_resident[1], -2, true}};
    const StepOutput x =
        must(resident->step({.decode = same, .prefill = {}, .read_logits = true, .forced = {}}));
    const StepOutput y =
        must(streamed->step({.decode = again, .prefill = {}, .read_logits = true, .forced = {}}));
    BOOST_TEST(std::equal(x.logits.begin(), x.logits.end(), y.logits.begin(), y.logits.end()));
  }
}

BOOST_AUTO_TEST_CASE(a_cache_with_room_for_all_reads_each_expert_once) {
  const TemporaryFolder folder;
  const auto engine = must(Engine::open(model_in(folder, "micro"), open_device("cpu-reference", 1),
                                        with_cache(std::uint64_t{1} << 30)));
  const Tokens tokens = random_tokens(5, 200, engine->config().vocab);
  (void)all_logits(*engine, must(engine->create_session()), tokens, 128);
  const ExpertReport first = *engine->expert_report();
  BOOST_TEST(first.held == first.all);
  BOOST_TEST(first.counts.loads <= first.all);
  BOOST_TEST(first.counts.bytes_read > 0U);
  BOOST_TEST(first.counts.read_ahead > 0U);
  engine->reset_expert_counts();
  (void)all_logits(*engine, must(engine->create_session()), tokens, 1);
  const ExpertCacheCounts again = engine->expert_report()->counts;
  BOOST_TEST(again.misses == 0U);
  BOOST_TEST(again.loads == 0U);
  BOOST_TEST(again.hit_rate() == 1.0);
}

BOOST_AUTO_TEST_CASE(models_that_are_made_stream_too_and_fewer_stored_experts_stand_for_all) {
  for (const std::string name : {"synthetic:micro", "synthetic:micro,experts=4"}) {
    const auto resident =
        must(Engine::open(must(ModelFile::open(name)), open_device("cpu-reference", 1), options()));
    const Tokens tokens = random_tokens(8, 90, resident->config().vocab);
    const std::vector<float> expected =
        all_logits(*resident, must(resident->create_session()), tokens, 128);
    const ExpertLayout layout = layout_of(resident->model(), *resident->devices().devices[0]);
    const auto engine =
        must(Engine::open(must(ModelFile::open(name)), open_device("cpu-reference", 1),
                          with_cache(layout.least * layout.slot_bytes())));
    BOOST_TEST((all_logits(*engine, must(engine->create_session()), tokens, 64) == expected));
  }
}

BOOST_AUTO_TEST_CASE(an_expert_that_cannot_be_read_ends_the_step_and_not_the_session) {
  const TemporaryFolder folder;
  for (const std::uint32_t rows : {1U, 40U}) {
    packing_fails = false;
    const auto device = failing_device();
    const ModelFile model = model_in(folder, "micro");
    const ExpertLayout layout = layout_of(model, *device);
    const auto engine = must(Engine::open(model_in(folder, "micro"), device,
                                          with_cache(layout.least * layout.slot_bytes())));
    const Tokens tokens = random_tokens(21, 100, engine->config().vocab);
    const SessionId session = must(engine->create_session());
    const std::vector<float> expected =
        all_logits(*engine, must(engine->create_session()), tokens, 128);
    const Tokens head(tokens.begin(), tokens.begin() + 60);
    (void)all_logits(*engine, session, head, 60);
    std::vector<StepRow> more;
    for (std::uint32_t i = 0; i < rows; ++i) more.push_back({session, tokens[60 + i], true});
    packing_fails = true;
    const auto failed =
        engine->step({.decode = {}, .prefill = more, .read_logits = true, .forced = {}});
    packing_fails = false;
    BOOST_TEST_REQUIRE(!failed.ok());
    BOOST_TEST((failed.error().code == Errc::io));
    BOOST_TEST_CONTEXT(failed.error().what) {
      BOOST_TEST(contains(failed.error().what, "moe_routed: tensor blk."));
      BOOST_TEST(contains(failed.error().what, "_exps.weight: expert "));
    }
    // The session goes on from where it was, or from where it could go back to.
    const std::uint32_t at = engine->position(session);
    BOOST_TEST(at <= 60U);
    const Tokens rest(tokens.begin() + at, tokens.end());
    const std::vector<float> got = all_logits(*engine, session, rest, 128);
    BOOST_TEST_REQUIRE(got.size() <= expected.size());
    BOOST_TEST(std::equal(got.rbegin(), got.rend(), expected.rbegin()));
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_after_it_was_opened_is_named) {
  const TemporaryFolder folder;
  const ModelFile model = model_in(folder, "micro");
  const auto device = open_device("cpu-reference", 1);
  const ExpertLayout layout = layout_of(model, *device);
  const std::uint32_t last = model.config().layers - 1;
  const TensorInfo& cut = *model.layer_tensor(last, TensorRole::ffn_up_exps);
  const auto cache = must(ExpertCache::make(expert_source(model, *device, layout),
                                            layout.all() * layout.slot_bytes(), layout.least, 1));
  // Behind the first byte of the tensor: nothing of its last experts is left.
  std::filesystem::resize_file(folder.path() / "micro.gguf", cut.offset + 1);
  std::vector<ds4_expert_view> views(1);
  const Tokens ids = {static_cast<std::int32_t>(layout.experts) - 1};
  const auto got = cache->acquire(last, ids, views);
  BOOST_TEST_REQUIRE(!got.ok());
  BOOST_TEST((got.error().code == Errc::io));
  BOOST_TEST_CONTEXT(got.error().what) {
    BOOST_TEST(contains(got.error().what, std::string(cut.name)));
    BOOST_TEST(contains(got.error().what, "the file ends at"));
  }
  BOOST_TEST(cache->acquire(0, ids, views).ok());  // what is still there can be read
}

BOOST_AUTO_TEST_CASE(what_cannot_stream_is_refused_in_a_line) {
  const TemporaryFolder folder;
  const auto device = open_device("cpu-reference", 1);
  BOOST_TEST(contains(refusal(model_in(folder, "micro"), device, with_cache(10)),
                      "an expert cache of 10 bytes holds 0 experts"));
  BOOST_TEST(contains(refusal(model_in(folder, "micro"),
                              open_device("cpu-reference", 1, {{"cpu-reference.compose", "on"}}),
                              with_cache(1 << 20)),
                      "streamed experts are not taken here"));

  EngineOptions shadowed = with_cache(1 << 20);
  shadowed.shadow.device = open_device("cpu-reference", 1);
  BOOST_TEST(contains(refusal(model_in(folder, "micro"), device, std::move(shadowed)),
                      "--shadow and --expert-cache do not go together"));

  EngineDevices two;
  two.devices = {device, open_device("cpu-reference", 1)};
  two.placement = Placement::single(4);
  two.placement.layers[3] = two.placement.head = 1;
  const auto placed = Engine::open(model_in(folder, "micro"), std::move(two), with_cache(1 << 20));
  BOOST_TEST_REQUIRE(!placed.ok());
  BOOST_TEST(contains(placed.error().what, "it serves a model on one device, this one is on 2"));

  const auto first = must(Engine::open(model_in(folder, "micro"), device, with_cache(1 << 20)));
  BOOST_TEST(contains(refusal(model_in(folder, "micro"), device, with_cache(1 << 20)),
                      "another model of this program streams its experts already"));
}

BOOST_AUTO_TEST_CASE(a_loan_ends_with_its_engine) {
  const TemporaryFolder folder;
  const auto device = open_device("cpu-reference", 1);
  for (int i = 0; i < 2; ++i) {
    const auto engine = must(Engine::open(model_in(folder, "micro"), device, with_cache(1 << 20)));
    BOOST_TEST(engine->memory().expert_cache > 0U);
  }
  BOOST_TEST(!must(Engine::open(model_in(folder, "micro"), device, options()))->expert_report());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
