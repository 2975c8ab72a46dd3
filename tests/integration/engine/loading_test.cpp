// How weights come to a device that copies them: the same whatever the way, and one error where the
// file fails while it is read.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

namespace fs = std::filesystem;

const ds4_backend_api* original = nullptr;
bool takes_q8 = true;
std::uint64_t preferred_chunk = 0;

/// Nothing is used where it is mapped.
ds4_status query_copied(ds4_device* device, const ds4_weight_desc* desc, ds4_weight_answer* out,
                        ds4_error* error) {
  const ds4_status status = original->weight_query(device, desc, out, error);
  out->in_place = 0;
  out->packed_bytes = desc->bytes;
  out->chunk_bytes = preferred_chunk;
  if (desc->dtype == DS4_DTYPE_Q8_0 && !takes_q8) out->accepted = 0;
  return status;
}

std::shared_ptr<plugins::Device> copying_device() {
  return open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.weight_query = query_copied;
  });
}

EngineOptions small() {
  EngineOptions options;
  options.context = 128;
  options.prefill_rows = 64;
  options.logits_rows = 64;
  return options;
}

struct Fixture {
  Fixture() { must(write_synthetic_model(path, must(SyntheticSpec::make("tiny")))); }
  ~Fixture() {
    takes_q8 = true;
    preferred_chunk = 0;
  }

  Result<std::unique_ptr<Engine>> open(std::shared_ptr<plugins::Device> device,
                                       EngineOptions options = small()) const {
    return Engine::open(must(ModelFile::open(path)), std::move(device), std::move(options));
  }

  [[nodiscard]] std::vector<float> logits_of(std::shared_ptr<plugins::Device> device) const {
    const auto engine = must(open(std::move(device)));
    const auto tokens = random_tokens(5, 40, engine->config().vocab);
    return all_logits(*engine, must(engine->create_session()), tokens, 64);
  }

  /// What an engine says that cannot be opened.
  [[nodiscard]] std::string failure(std::shared_ptr<plugins::Device> device,
                                    EngineOptions options) const {
    const auto engine = open(std::move(device), std::move(options));
    BOOST_TEST_REQUIRE(!engine.ok());
    BOOST_TEST((engine.error().code == Errc::io));
    const std::string text = engine.error().what;
    BOOST_TEST(text.find('\n') == std::string::npos);
    BOOST_TEST_MESSAGE(text);
    return text;
  }

  TemporaryFolder folder;
  fs::path path = folder.path() / "model.gguf";
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(loading, Fixture)

BOOST_AUTO_TEST_CASE(copied_weights_are_those_of_the_file) {
  const std::vector<float> in_place = logits_of(open_device("cpu-reference", 1));
  // Pieces that end inside rows, of whole rows, and of whole tensors.
  for (const std::uint64_t chunk : {0ULL, 1000ULL, 65536ULL, 1ULL << 30}) {
    preferred_chunk = chunk;
    BOOST_TEST((logits_of(copying_device()) == in_place));
  }
}

BOOST_AUTO_TEST_CASE(converted_weights_are_the_same_from_a_file_and_made) {
  takes_q8 = false;
  EngineOptions options = small();
  std::size_t conversions = 0;
  options.log = [&](LogLevel, std::string_view, std::string_view text) {
    conversions += contains(std::string(text), "converted to F16") ? 1 : 0;
  };
  const auto filed = must(open(copying_device(), options));
  BOOST_TEST(conversions > 0U);
  const auto made =
      must(Engine::open(must(ModelFile::open("synthetic:tiny")), copying_device(), small()));
  const auto tokens = random_tokens(5, 40, filed->config().vocab);
  BOOST_TEST((all_logits(*filed, must(filed->create_session()), tokens, 64) ==
              all_logits(*made, must(made->create_session()), tokens, 64)));
}

BOOST_AUTO_TEST_CASE(progress_ends_with_all_bytes_and_never_goes_back) {
  preferred_chunk = 5000;
  EngineOptions options = small();
  std::vector<std::uint64_t> done;
  std::uint64_t total = 0;
  options.on_load = [&](const LoadProgress& progress) {
    done.push_back(progress.done);
    total = progress.total;
  };
  const auto engine = must(open(copying_device(), options));
  BOOST_TEST_REQUIRE(!done.empty());
  BOOST_TEST(std::is_sorted(done.begin(), done.end()));
  BOOST_TEST(done.back() == total);
  BOOST_TEST(done.size() > engine->model().gguf().tensors().size());  // not only after tensors
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_after_the_plan_was_made_is_an_error) {
  for (const bool is_empty : {false, true}) {
    const Fixture fresh;
    EngineOptions options = small();
    const auto bytes = fs::file_size(fresh.path);
    options.on_plan = [&](const MemoryPlan&) {
      fs::resize_file(fresh.path, is_empty ? 0 : bytes / 2);
    };
    const std::string text = fresh.failure(copying_device(), options);
    BOOST_TEST(text.starts_with("tensor "));
    BOOST_TEST(contains(text, fresh.path.string() + ": the file ended at byte "));
    BOOST_TEST(contains(text, "make it whole and start again"));
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_while_it_is_read_is_an_error) {
  EngineOptions options = small();
  preferred_chunk = 4096;  // so that the ring is no more than a small part of the file
  options.on_load = [&](const LoadProgress& progress) {
    if (progress.done > progress.total / 4) fs::resize_file(path, 5000);
  };
  const std::string text = failure(copying_device(), options);
  BOOST_TEST(contains(text, "the file ended at byte "));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_before_it_is_used_in_place_is_an_error) {
  EngineOptions options = small();
  const auto bytes = fs::file_size(path);
  options.on_plan = [&](const MemoryPlan&) { fs::resize_file(path, 0); };
  const std::string text = failure(open_device("cpu-reference", 1), options);
  BOOST_TEST(contains(text, "changed its size while it was read, " + std::to_string(bytes)));
}

BOOST_AUTO_TEST_CASE(what_loading_holds_is_planned) {
  EngineOptions options = small();
  const auto staging = [&] { return must(open(copying_device(), options))->memory_plan().staging; };
  preferred_chunk = 4096;
  const std::uint64_t few = staging();
  preferred_chunk = 65536;
  const std::uint64_t more = staging();
  BOOST_TEST(more - few == 8U * (65536 - 4096));  // the slots of the ring
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
