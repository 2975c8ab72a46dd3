// When a host hears of the experts of a layer: as soon as they are chosen, before the ops between
// the choice and the routed experts.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "engine/expert_layout.hpp"
#include "tests/support/runtime.hpp"
#include "wrap/backend.hpp"

namespace ds4::test {
namespace {

using Ids = std::vector<std::int32_t>;

struct Call {
  bool is_prefetch = false;
  std::uint32_t layer = 0;
  Ids ids;
  std::vector<float> shared;  ///< what the shared expert's output held
};

/// Listens to the calls of a backend, between it and the host. One at a time.
class Listener {
 public:
  explicit Listener(plugins::Device& device)
      : table_(const_cast<ds4_host_api*>(  // the host owns it and made it to be changed
            device.backend().host().table(device.backend().name()))),
        original_(*table_) {
    now_ = this;
    table_->experts_prefetch = prefetch;
    table_->experts_acquire = acquire;
  }
  ~Listener() {
    *table_ = original_;
    now_ = nullptr;
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::vector<Call> calls;

  // The submission that runs, to look at what its ops wrote.
  static ds4_status enqueue(ds4_stream* stream, const ds4_submission* submission,
                            ds4_error* error) {
    submission_ = submission;
    const ds4_status status = backend_->enqueue(stream, submission, error);
    submission_ = nullptr;
    return status;
  }
  static void listen_to(ds4_backend_api& table) {
    static ds4_backend_api copy;
    copy = table;
    backend_ = &copy;
    table.enqueue = enqueue;
  }

 private:
  static void prefetch(void* host, std::uint32_t layer, const std::int32_t* ids, std::uint32_t n) {
    now_->calls.push_back({true, layer, Ids(ids, ids + n), shared_of(layer)});
    now_->original_.experts_prefetch(host, layer, ids, n);
  }
  static ds4_status acquire(void* host, std::uint32_t layer, const std::int32_t* ids,
                            std::uint32_t n, ds4_expert_view* out, std::uint64_t* ticket,
                            ds4_error* error) {
    now_->calls.push_back({false, layer, Ids(ids, ids + n), shared_of(layer)});
    return now_->original_.experts_acquire(host, layer, ids, n, out, ticket, error);
  }

  /// The first row of what the layer's shared expert writes; empty without a submission.
  static std::vector<float> shared_of(std::uint32_t layer) {
    if (submission_ == nullptr) return {};
    for (const ds4_op* op : std::span(submission_->ops, submission_->count)) {
      if (op->id != DS4_OP_FFN_SHARED || op->tag >> 16 != layer) continue;
      const ds4_view& y = reinterpret_cast<const ds4_op_ffn_shared*>(op)->y;
      void* data = nullptr;
      if (backend_->buffer_map(y.buffer, &data, nullptr) != DS4_OK) return {};
      std::vector<float> row(y.extent[1]);
      std::memcpy(row.data(), static_cast<const std::byte*>(data) + y.offset,
                  row.size() * sizeof(float));
      backend_->buffer_unmap(y.buffer);
      return row;
    }
    return {};
  }

  static inline Listener* now_ = nullptr;
  static inline const ds4_backend_api* backend_ = nullptr;
  static inline const ds4_submission* submission_ = nullptr;
  ds4_host_api* table_;
  ds4_host_api original_;
};

EngineOptions options_of(std::uint64_t slots, const ExpertLayout& layout) {
  EngineOptions options;
  options.context = 256;
  options.prefill_rows = 64;
  options.logits_rows = 64;
  options.experts = {ExpertCacheOptions::Mode::fixed, slots * layout.slot_bytes()};
  return options;
}

ExpertLayout layout_of(const ModelFile& model, const plugins::Device& device) {
  return must(ExpertLayout::make(
      model, [&device](const ds4_weight_desc& desc) { return device.weight_query(desc); }));
}

bool ascends(const Ids& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

std::vector<std::string> backends() {
  std::vector<std::string> out = levels_here({DS4_CPU_LEVELS});
  out.insert(out.begin(), "cpu-reference");
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(read_ahead)

BOOST_AUTO_TEST_CASE(every_group_is_asked_for_before_it_is_needed) {
  for (const std::string& backend : backends()) {
    // The second model stores fewer experts than it routes to, so that ids are made from the
    // choice.
    for (const std::string name : {"synthetic:micro", "synthetic:micro,experts=4"}) {
      for (const std::uint32_t threads : {1U, 2U}) {
        const auto device = open_device(backend, threads);
        ModelFile model = must(ModelFile::open(name));
        const ExpertLayout layout = layout_of(model, *device);
        const auto engine =
            must(Engine::open(std::move(model), device, options_of(layout.least, layout)));
        const std::uint32_t layers = engine->config().layers;
        const std::vector<std::int32_t> tokens = random_tokens(4, 48, engine->config().vocab);
        Listener listener(*device);
        for (const std::uint32_t chunk : {1U, 40U}) {
          listener.calls.clear();
          const SessionId session = must(engine->create_session());
          (void)all_logits(*engine, session, tokens, chunk);
          engine->close_session(session);
          std::uint32_t acquired = 0;
          BOOST_TEST_CONTEXT(backend << " " << name << ", " << threads << " threads, chunks of "
                                     << chunk) {
            for (std::size_t i = 0; i < listener.calls.size(); ++i) {
              const Call& call = listener.calls[i];
              BOOST_TEST(ascends(call.ids));
              BOOST_TEST(call.ids.size() <= layout.least);
              if (call.is_prefetch) continue;
              ++acquired;
              BOOST_TEST_REQUIRE(i > 0U);
              const Call& before = listener.calls[i - 1];
              BOOST_TEST(before.is_prefetch);
              BOOST_TEST(before.layer == call.layer);
              BOOST_TEST(before.ids == call.ids, boost::test_tools::per_element());
            }
            const std::size_t steps = (tokens.size() + chunk - 1) / chunk;
            BOOST_TEST(acquired >= layers * steps);
            // Nothing is asked for that is not needed.
            BOOST_TEST(listener.calls.size() == 2U * acquired);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_shared_expert_runs_between_the_choice_and_the_routed_ones) {
  const auto device = open_changed_device("cpu-reference", Listener::listen_to);
  ModelFile model = must(ModelFile::open("synthetic:micro"));
  const ExpertLayout layout = layout_of(model, *device);
  const auto engine =
      must(Engine::open(std::move(model), device, options_of(layout.least, layout)));
  const SessionId session = must(engine->create_session());
  Listener listener(*device);
  (void)all_logits(*engine, session, random_tokens(6, 3, engine->config().vocab), 1);
  BOOST_TEST_REQUIRE(listener.calls.size() == 2U * 3U * engine->config().layers);
  for (std::size_t i = 0; i < listener.calls.size(); i += 2) {
    const Call& told = listener.calls[i];
    const Call& needed = listener.calls[i + 1];
    BOOST_TEST_CONTEXT("layer " << told.layer) {
      BOOST_TEST(told.is_prefetch);
      BOOST_TEST(!needed.is_prefetch);
      BOOST_TEST(told.layer == needed.layer);
      BOOST_TEST_REQUIRE(!told.shared.empty());
      // Its output is another one by the time that routed experts are needed.
      BOOST_TEST((told.shared != needed.shared));
      // And it is all there: the next choice finds it unchanged.
      if (i + 2 < listener.calls.size()) {
        BOOST_TEST((listener.calls[i + 2].shared == needed.shared));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_decoded_token_misses_nothing_where_its_experts_fit) {
  const auto device = open_device("cpu-reference", 2);
  ModelFile model = must(ModelFile::open("synthetic:micro"));
  const ExpertLayout layout = layout_of(model, *device);
  const auto engine =
      must(Engine::open(std::move(model), device, options_of(layout.least, layout)));
  const SessionId session = must(engine->create_session());
  (void)all_logits(*engine, session, random_tokens(2, 30, engine->config().vocab), 1);
  const ExpertCacheCounts counts = engine->expert_report()->counts;
  BOOST_TEST(counts.misses == 0U);
  const std::uint64_t foretold = counts.read_ahead + counts.late;
  BOOST_TEST(foretold > counts.asked() / 2);
  // What was foretold was used: each read answers one question.
  BOOST_TEST(counts.loads == foretold);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
