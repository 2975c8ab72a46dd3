// Models that are made while they are loaded, and the blocks they are made of.
#include "model/synthetic_source.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <map>

#include "format/quants/quants.hpp"
#include "model/synthetic_blocks.hpp"
#include "tests/unit/model/temp_model.hpp"

using ds4::Dtype;
using ds4::synthetic::BlockMaker;

namespace {

const char* const kMatrixTypes[] = {"f32",  "f16",  "bf16", "q8_0", "q4_0",    "q2_k",
                                    "q3_k", "q4_k", "q5_k", "q6_k", "iq2_xxs", "mxfp4"};

std::vector<std::byte> blocks(const BlockMaker& maker, std::uint64_t key, std::uint64_t first,
                              std::uint64_t count) {
  std::vector<std::byte> out(count * maker.bytes());
  maker.fill(key, first, count, out.data());
  return out;
}

/// A tiny model whose matrices are drawn as blocks, as at the released shapes.
ds4::SyntheticSpec drawn(std::string_view name) {
  ds4::SyntheticSpec spec = shape(name);
  spec.fill = ds4::SyntheticFill::blocks;
  return spec;
}

std::string refusal(std::string_view name) {
  const auto spec = ds4::SyntheticSpec::parse(name);
  BOOST_TEST_REQUIRE(!spec.ok(), name);
  BOOST_TEST((spec.error().code == ds4::Errc::invalid_argument));
  return spec.error().what;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(synthetic_source, TempModels)

// Decoded by the format's own decoder, which the golden vectors of other programs check.
BOOST_DATA_TEST_CASE(blocks_decode_to_finite_values_of_the_deviation_asked_for,
                     boost::unit_test::data::make(kMatrixTypes), name) {
  const Dtype dtype = *ds4::parse_dtype(name);
  constexpr double kDeviation = 1.0 / 64;
  const auto maker = BlockMaker::make(dtype, kDeviation);
  BOOST_TEST_REQUIRE(maker.ok(), maker.error().what);
  constexpr std::uint64_t kElements = 1 << 18;
  const auto raw = blocks(*maker, 12345, 0, kElements / maker->elements());
  std::vector<float> values(kElements);
  BOOST_TEST_REQUIRE(ds4::dequantize_row(dtype, raw.data(), values.data(), kElements).ok());
  double sum = 0;
  double squares = 0;
  double peak = 0;
  for (const float v : values) {
    BOOST_TEST_REQUIRE(std::isfinite(v));
    sum += v;
    squares += double{v} * v;
    peak = std::max(peak, std::fabs(double{v}));
  }
  const double deviation = std::sqrt(squares / kElements);
  BOOST_TEST_CONTEXT(ds4::dtype_name(dtype) << " deviation " << deviation) {
    // Powers of two cannot come nearer than a factor of sqrt(2).
    const double slack = dtype == Dtype::mxfp4 ? 1.45 : 1.1;
    BOOST_TEST(deviation < kDeviation * slack);
    BOOST_TEST(deviation > kDeviation / slack);
    // 4-bit codes around 8 are -0.5 on the mean, a ninth of their deviation.
    BOOST_TEST(std::fabs(sum / kElements) < kDeviation * (dtype == Dtype::q4_0 ? 0.13 : 0.02));
    BOOST_TEST(peak < kDeviation * 12);
  }
}

BOOST_DATA_TEST_CASE(a_block_depends_on_its_number_and_key_alone,
                     boost::unit_test::data::make(kMatrixTypes), name) {
  const Dtype dtype = *ds4::parse_dtype(name);
  const auto maker = BlockMaker::make(dtype, 0.1);
  const auto all = blocks(*maker, 7, 0, 64);
  const auto some = blocks(*maker, 7, 13, 20);
  BOOST_TEST((std::memcmp(all.data() + 13 * maker->bytes(), some.data(), some.size()) == 0));
  BOOST_TEST((blocks(*maker, 8, 0, 64) != all));
  // No block repeats another: a counter that stands still would show here.
  for (std::size_t i = 1; i < 64; ++i) {
    BOOST_TEST_REQUIRE(
        (std::memcmp(all.data(), all.data() + i * maker->bytes(), maker->bytes()) != 0));
  }
}

BOOST_AUTO_TEST_CASE(types_without_a_rule_are_refused) {
  for (const Dtype dtype : {Dtype::i32, Dtype::q5_0, Dtype::iq3_s}) {
    BOOST_TEST(!BlockMaker::make(dtype, 1).ok());
  }
}

// What is read from the source, in odd pieces and on any number of threads, is what is written to a
// file on one.
void check_equal_bytes(TempModels& models, const ds4::SyntheticSpec& spec) {
  const auto file = ds4::ModelFile::open(models.write(spec));
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  const auto source = ds4::SyntheticSource::make(spec);
  BOOST_TEST_REQUIRE(source.ok(), source.error().what);
  const auto bytes = read_all(models.folder / "m.gguf");
  BOOST_TEST(source->file_bytes() == bytes.size());
  BOOST_TEST((std::memcmp(source->head().data(), bytes.data(), source->head().size()) == 0));
  for (const std::uint32_t threads : {1U, 3U, 8U}) {
    ds4::ThreadTeam team(threads);
    for (const ds4::TensorInfo& tensor : file->gguf().tensors()) {
      std::vector<std::byte> made(tensor.bytes);
      const std::uint64_t step = 1 + tensor.rows() / 3;
      for (std::uint64_t row = 0; row < tensor.rows(); row += step) {
        const std::uint64_t count = std::min(step, tensor.rows() - row);
        const auto out =
            std::span(made).subspan(row * tensor.row_bytes(), count * tensor.row_bytes());
        BOOST_TEST_REQUIRE(source->read_rows(tensor, row, count, out, team).ok());
      }
      const auto stored = file->bytes(tensor);
      BOOST_TEST_REQUIRE((std::memcmp(made.data(), stored.data(), stored.size()) == 0),
                         tensor.name << " on " << threads << " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_source_gives_the_bytes_of_the_file_on_any_number_of_threads) {
  check_equal_bytes(*this, shape("micro"));
}

BOOST_AUTO_TEST_CASE(drawn_models_are_the_same_in_memory_and_on_disk) {
  ds4::SyntheticSpec spec = drawn("tiny");
  spec.types = *ds4::TypeRecipe::parse("experts=iq2_xxs/q2_k,attn=q8_0", spec.types);
  spec.config.stored_experts = 3;
  spec.seed = 9;
  check_equal_bytes(*this, spec);
}

BOOST_AUTO_TEST_CASE(a_file_made_by_a_team_is_that_made_alone) {
  const ds4::SyntheticSpec spec = drawn("tiny-q4_k");
  ds4::ThreadTeam team(5);
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  const auto done = ds4::write_synthetic_model(folder / "team.gguf", spec, team,
                                               [&](std::uint64_t now, std::uint64_t all) {
                                                 BOOST_TEST(now > last);
                                                 last = now;
                                                 total = all;
                                               });
  BOOST_TEST_REQUIRE(done.ok(), done.error().what);
  BOOST_TEST((read_all(folder / "team.gguf") == read_all(write(spec, "alone.gguf"))));
  BOOST_TEST(last == total);
}

BOOST_AUTO_TEST_CASE(names_say_shape_layers_experts_and_seed) {
  const auto spec = ds4::SyntheticSpec::parse(
      "synthetic:flash,experts=8,layers=5,hash=1,seed=18446744073709551615");
  BOOST_TEST_REQUIRE(spec.ok(), spec.error().what);
  BOOST_TEST(spec->config.experts == 256U);
  BOOST_TEST(spec->config.stored() == 8U);
  BOOST_TEST(spec->config.ratios == (std::vector<std::uint32_t>{0, 0, 4, 128, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(spec->config.hash_layers == 1U);
  BOOST_TEST(spec->seed == UINT64_MAX);
  BOOST_TEST((spec->fill == ds4::SyntheticFill::blocks));
  const auto chosen = ds4::SyntheticSpec::parse("synthetic:pro,ratios=128/4/0");
  BOOST_TEST_REQUIRE(chosen.ok(), chosen.error().what);
  BOOST_TEST(chosen->config.ratios == (std::vector<std::uint32_t>{128, 4, 0}),
             boost::test_tools::per_element());
  BOOST_TEST(chosen->config.stored() == 384U);
}

BOOST_AUTO_TEST_CASE(bad_names_are_told_with_the_key_and_what_it_takes) {
  const auto has = [](const std::string& text, std::string_view part) {
    BOOST_TEST(text.find(part) != std::string::npos, text);
    BOOST_TEST(text.find('\n') == std::string::npos);
  };
  has(refusal("synthetic:"), "unknown shape ''; known are micro, tiny");
  has(refusal("synthetic:huge,experts=2"), "unknown shape 'huge'");
  has(refusal("synthetic:flash,experts=0"), "experts=0: accepted is 1..256");
  has(refusal("synthetic:flash,experts=257"), "experts=257: accepted is 1..256");
  has(refusal("synthetic:flash,experts=four"), "experts=four: accepted is 1..256");
  has(refusal("synthetic:flash,experts="), "experts=: accepted is 1..256");
  has(refusal("synthetic:flash,layers=0"), "layers=0: accepted is 1..1024");
  has(refusal("synthetic:flash,layers=-1"), "layers=-1: accepted is 1..1024");
  has(refusal("synthetic:flash,seed=0"), "seed=0: accepted is 1..18446744073709551615");
  has(refusal("synthetic:flash,seed=18446744073709551616"), "accepted is 1..");
  has(refusal("synthetic:flash,hash=4,layers=3"), "hash=4: accepted is 0..3");
  has(refusal("synthetic:flash,ratios=0/5"), "ratios=0/5: accepted is 0, 4 or 128 for each layer");
  has(refusal("synthetic:flash,ratios=0/"), "ratios=0/: accepted is");
  has(refusal("synthetic:flash,ratios=0,layers=1"), "give either layers or ratios");
  has(refusal("synthetic:flash,seed=1,seed=2"), "seed is given twice");
  has(refusal("synthetic:flash,"), "'': accepted is experts=K, layers=N");
  has(refusal("synthetic:flash,colour=red"), "'colour=red': accepted is experts=K");
  has(refusal("synthetic:flash,experts"), "'experts': accepted is experts=K");
}

BOOST_AUTO_TEST_CASE(a_named_model_opens_without_a_file_and_seeds_have_fingerprints) {
  const auto first = ds4::ModelFile::open("synthetic:flash,experts=2,layers=4,seed=1");
  const auto second = ds4::ModelFile::open("synthetic:flash,experts=2,layers=4,seed=2");
  BOOST_TEST_REQUIRE(first.ok(), first.error().what);
  BOOST_TEST_REQUIRE(second.ok(), second.error().what);
  BOOST_TEST(first->fingerprint() != second->fingerprint());
  BOOST_TEST(!first->is_mapped());
  const ds4::TensorInfo& gate = *first->layer_tensor(3, ds4::TensorRole::ffn_gate_exps);
  BOOST_TEST(gate.dims[2] == 2U);
  BOOST_TEST(gate.bytes == 2U * 2048 * 4096 / 256 * 66);
  BOOST_TEST(first->layer_tensor(3, ds4::TensorRole::ffn_gate_inp)->dims[1] == 256U);
  BOOST_TEST(first->bytes(gate).empty());
  // Views survive a move: the head belongs to all copies.
  const ds4::ModelFile moved = std::move(*ds4::ModelFile::open("synthetic:micro"));
  BOOST_TEST(moved.global_tensor(ds4::TensorRole::output)->name == "output.weight");
}

BOOST_AUTO_TEST_CASE(slices_of_the_released_width_load_from_a_file) {
  ds4::SyntheticSpec spec = shape("flash");
  spec.set_ratios({4, 128});
  spec.config.hash_layers = 0;
  spec.config.vocab = 512;
  spec.config.stored_experts = 1;
  const auto model = ds4::ModelFile::open(write(spec));
  BOOST_TEST_REQUIRE(model.ok(), model.error().what);
  BOOST_TEST(model->config().layers == 2U);
  BOOST_TEST(model->config().width == 4096U);
  BOOST_TEST((model->layer_tensor(0, ds4::TensorRole::indexer_q_b) != nullptr));
  BOOST_TEST((model->layer_tensor(1, ds4::TensorRole::exp_probs_bias) != nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
