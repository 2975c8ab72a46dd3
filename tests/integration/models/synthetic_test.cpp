// Models that are made while they are loaded compute what the same models compute as files; and
// models with fewer experts than they route to compute what they would with all of them stored.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "tests/integration/models/raw_model.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

EngineOptions options() {
  EngineOptions out;
  out.context = 128;
  out.decode_rows = 2;
  out.prefill_rows = 32;
  out.logits_rows = 32;
  return out;
}

std::vector<float> logits_of(ModelFile model, std::uint32_t threads = 2) {
  const auto engine =
      must(Engine::open(std::move(model), open_device("cpu-reference", threads), options()));
  const SessionId session = must(engine->create_session());
  return all_logits(*engine, session, random_tokens(3, 20, engine->config().vocab), 16);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && !a.empty() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The model of a spec whose stored experts are written out once for each expert they stand for:
/// what "id modulo stored" means, made without the program's own arithmetic on ids.
ModelFile unfolded(const TemporaryFolder& folder, const SyntheticSpec& spec) {
  const ModelFile folded = make_model(folder, spec);
  RawModel raw = RawModel::of(folded.gguf());
  raw.remove_entry("ds4.stored_expert_count");
  const std::uint64_t experts = spec.config.experts;
  for (RawTensor& tensor : raw.tensors) {
    if (tensor.dims.size() != 3) continue;
    const std::uint64_t stored = tensor.dims[2];
    const std::size_t bytes = tensor.data.size() / stored;
    Bytes all;
    for (std::uint64_t e = 0; e < experts; ++e) {
      const auto begin = tensor.data.begin() + static_cast<std::ptrdiff_t>(e % stored * bytes);
      all.insert(all.end(), begin, begin + static_cast<std::ptrdiff_t>(bytes));
    }
    tensor.dims[2] = experts;
    tensor.data = std::move(all);
  }
  const Bytes bytes = raw.encode();
  const auto path = folder.path() / "unfolded.gguf";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return must(ModelFile::open(path));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(synthetic_models)

BOOST_AUTO_TEST_CASE(a_model_in_memory_computes_what_its_file_computes) {
  for (const char* name : {"synthetic:micro,seed=5", "synthetic:tiny-q4_k,layers=3,seed=6"}) {
    const TemporaryFolder folder;
    const auto spec = must(SyntheticSpec::parse(name));
    const auto made = logits_of(must(ModelFile::open(name)));
    BOOST_TEST(same_bits(made, logits_of(make_model(folder, spec))), name);
    BOOST_TEST(same_bits(made, logits_of(must(ModelFile::open(name)), 1)), name);
  }
}

BOOST_AUTO_TEST_CASE(a_seed_changes_what_is_computed) {
  const auto one = logits_of(must(ModelFile::open("synthetic:micro,seed=1")));
  BOOST_TEST(!same_bits(one, logits_of(must(ModelFile::open("synthetic:micro,seed=2")))));
}

BOOST_AUTO_TEST_CASE(stored_experts_stand_for_all_by_id_modulo_their_number) {
  for (const std::uint32_t stored : {1U, 3U, 7U}) {
    const TemporaryFolder folder;
    SyntheticSpec spec = must(SyntheticSpec::make("micro"));
    spec.config.stored_experts = stored;
    const auto folded = logits_of(make_model(folder, spec));
    BOOST_TEST(same_bits(folded, logits_of(unfolded(folder, spec))), stored);
    // And they do stand for others: with all experts of their own the model is another.
    spec.config.stored_experts = 0;
    BOOST_TEST(!same_bits(folded, logits_of(make_model(folder, spec))), stored);
  }
}

BOOST_AUTO_TEST_CASE(choices_of_a_folded_model_are_ids_of_the_router_and_can_be_forced) {
  const TemporaryFolder folder;
  SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  spec.config.stored_experts = 3;
  const std::vector<std::int32_t> tokens = random_tokens(4, 24, spec.config.vocab);
  const auto step = [&](ModelFile model, Selections selections,
                        const std::vector<LayerChoices>& forced) {
    EngineOptions wanted = options();
    wanted.selections = selections;
    const auto engine =
        must(Engine::open(std::move(model), open_device("cpu-reference", 1), wanted));
    const SessionId session = must(engine->create_session());
    std::vector<StepRow> rows;
    for (const std::int32_t token : tokens) rows.push_back({session, token, true});
    const StepOutput out =
        must(engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = forced}));
    return std::pair(std::vector<float>(out.logits.begin(), out.logits.end()),
                     std::vector<LayerChoices>(out.choices.begin(), out.choices.end()));
  };
  const auto folded = step(make_model(folder, spec), Selections::recorded, {});
  const auto whole = step(unfolded(folder, spec), Selections::recorded, {});
  BOOST_TEST(same_bits(folded.first, whole.first));
  std::int32_t largest = 0;
  for (std::size_t layer = 0; layer < whole.second.size(); ++layer) {
    const std::vector<std::int32_t>& ids = folded.second[layer].experts;
    BOOST_TEST(ids == whole.second[layer].experts, boost::test_tools::per_element());
    largest = std::max(largest, *std::max_element(ids.begin(), ids.end()));
  }
  BOOST_TEST(largest == 7);
  const auto forced = step(make_model(folder, spec), Selections::forced, whole.second);
  BOOST_TEST(same_bits(forced.first,
                       step(unfolded(folder, spec), Selections::forced, whole.second).first));
}

// The hidden state must neither die nor blow up. The
// logits of a normalised state against rows of deviation 1 / sqrt(width) have deviation near 1.
BOOST_AUTO_TEST_CASE(drawn_blocks_give_logits_of_order_one) {
  const TemporaryFolder folder;
  SyntheticSpec spec = must(SyntheticSpec::make("tiny"));
  spec.fill = SyntheticFill::blocks;
  spec.types.expert_gate_up = Dtype::iq2_xxs;
  spec.types.expert_down = Dtype::q2_k;
  spec.set_layers(8);
  const auto logits = logits_of(make_model(folder, spec));
  double squares = 0;
  for (const float v : logits) squares += double{v} * v;
  const double deviation = std::sqrt(squares / static_cast<double>(logits.size()));
  BOOST_TEST(deviation > 0.7);
  BOOST_TEST(deviation < 1.4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
