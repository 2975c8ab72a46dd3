#include "model/synthetic.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "format/quants/quants.hpp"
#include "model/counter_rng.hpp"
#include "model/synthetic_parts.hpp"
#include "tests/unit/model/temp_model.hpp"

BOOST_FIXTURE_TEST_SUITE(synthetic, TempModels)

BOOST_AUTO_TEST_CASE(equal_specs_give_equal_files_and_seeds_differ) {
  ds4::SyntheticSpec spec = shape("micro");
  const auto first = read_all(write(spec, "a"));
  const auto second = read_all(write(spec, "b"));
  spec.seed = 2;
  const auto third = read_all(write(spec, "c"));
  BOOST_TEST((first == second));
  BOOST_TEST(first.size() == third.size());
  BOOST_TEST((first != third));
}

BOOST_AUTO_TEST_CASE(weights_are_those_of_the_generator) {
  ds4::SyntheticSpec spec = shape("micro");
  spec.types = *ds4::TypeRecipe::parse("all=f32", spec.types);
  spec.seed = 77;
  const auto model = ds4::ModelFile::open(write(spec));
  BOOST_TEST_REQUIRE(model.ok(), model.error().what);
  const auto check = [&](std::string_view name, double scale, double offset) {
    const ds4::TensorInfo& tensor = *model->gguf().find_tensor(name);
    std::vector<float> stored(tensor.elements());
    std::memcpy(stored.data(), model->bytes(tensor).data(), tensor.bytes);
    const ds4::CounterRng rng(77, name);
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const double product = scale * rng.normal(i);
      BOOST_TEST_REQUIRE(stored[i] == static_cast<float>(offset + product), name);
    }
  };
  check("token_embd.weight", 1.0, 0.0);
  check("blk.1.attn_q_a.weight", 0.125, 0.0);  // 1 / sqrt(64)
  check("blk.1.attn_norm.weight", 0.1, 1.0);
  check("blk.1.attn_sinks.weight", 0.1, 0.0);
  check("blk.1.exp_probs_b.bias", 0.1, 0.0);
  check("blk.1.attn_compressor_ape.weight", 0.1, 0.0);
  check("blk.1.hc_ffn_base.weight", 0.1, 0.0);
  check("blk.1.hc_ffn_scale.weight", 0.0, 0.5);
}

BOOST_AUTO_TEST_CASE(expert_tables_hold_distinct_experts) {
  const auto model = ds4::ModelFile::open(write(shape("micro")));
  BOOST_TEST_REQUIRE(model.ok());
  const auto raw = model->bytes(*model->layer_tensor(0, ds4::TensorRole::ffn_gate_tid2eid));
  BOOST_TEST_REQUIRE(raw.size() == 512U * 2 * 4);
  std::set<std::int32_t> seen;
  for (std::size_t token = 0; token < 512; ++token) {
    std::int32_t ids[2];
    std::memcpy(ids, raw.data() + token * sizeof ids, sizeof ids);
    BOOST_TEST_REQUIRE(ids[0] != ids[1]);
    seen.insert({ids[0], ids[1]});
  }
  BOOST_TEST(seen.size() == 8U);
}

BOOST_AUTO_TEST_CASE(recipes_set_groups) {
  const auto recipe = ds4::TypeRecipe::parse(
      "experts=iq2_xxs/q2_k,attn=q4_k,embd=bf16,output=q6_k,shexp=q5_k,side=q8_0", {});
  BOOST_TEST_REQUIRE(recipe.ok());
  using enum ds4::TensorRole;
  BOOST_TEST((recipe->of(ffn_up_exps) == ds4::Dtype::iq2_xxs));
  BOOST_TEST((recipe->of(ffn_down_exps) == ds4::Dtype::q2_k));
  BOOST_TEST((recipe->of(attn_output_b) == ds4::Dtype::q4_k));
  BOOST_TEST((recipe->of(token_embd) == ds4::Dtype::bf16));
  BOOST_TEST((recipe->of(output) == ds4::Dtype::q6_k));
  BOOST_TEST((recipe->of(ffn_down_shexp) == ds4::Dtype::q5_k));
  BOOST_TEST((recipe->of(indexer_q_b) == ds4::Dtype::q8_0));
  // Position rows stay plain, vectors and tables have one type only.
  BOOST_TEST((recipe->of(attn_compressor_ape) == ds4::Dtype::f16));
  BOOST_TEST((recipe->of(attn_norm) == ds4::Dtype::f32));
  BOOST_TEST((recipe->of(ffn_gate_tid2eid) == ds4::Dtype::i32));
}

BOOST_AUTO_TEST_CASE(broken_recipes_are_refused_with_the_entry) {
  const auto message = [](std::string_view text) {
    const auto recipe = ds4::TypeRecipe::parse(text, {});
    BOOST_TEST_REQUIRE(!recipe.ok());
    return recipe.error().what;
  };
  BOOST_TEST(message("attn").find("'attn' is not GROUP=TYPE") != std::string::npos);
  BOOST_TEST(message("attn=q9").find("unknown element type 'q9'") != std::string::npos);
  BOOST_TEST(message("norms=f32").find("unknown group 'norms'") != std::string::npos);
  BOOST_TEST(message("attn=q8_0/q4_k").find("only experts take two types") != std::string::npos);
  BOOST_TEST(message("attn=iq3_s").find("IQ3_S cannot be written") != std::string::npos);
  BOOST_TEST(message("attn=i32").find("I32 cannot be written") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_shape_is_valid_and_an_unknown_one_lists_them) {
  for (const std::string& name : ds4::synthetic_shapes()) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(shape(name).config.validate(name).ok());
    }
  }
  const auto unknown = ds4::SyntheticSpec::make("huge");
  BOOST_TEST_REQUIRE(!unknown.ok());
  BOOST_TEST(unknown.error().what.find("micro, tiny") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(micro_has_every_kind_of_layer) {
  const ds4::ModelConfig config = shape("micro").config;
  for (const std::uint32_t ratio : {0U, 4U, 128U}) {
    BOOST_TEST(std::count(config.ratios.begin(), config.ratios.end(), ratio) > 0);
  }
  BOOST_TEST(config.hash_layers >= 1U);
  BOOST_TEST(config.window == 8U);
  BOOST_TEST(config.index_top_k == 3U);
}

BOOST_AUTO_TEST_CASE(layer_counts_follow_the_pattern_of_the_shape) {
  ds4::SyntheticSpec spec = shape("flash");
  spec.set_layers(2);
  BOOST_TEST(spec.config.ratios == (std::vector<std::uint32_t>{0, 0}),
             boost::test_tools::per_element());
  BOOST_TEST(spec.config.hash_layers == 2U);
  spec = shape("tiny");
  spec.set_layers(8);
  BOOST_TEST(spec.config.ratios == (std::vector<std::uint32_t>{0, 0, 4, 128, 4, 128, 4, 128}),
             boost::test_tools::per_element());
  BOOST_TEST(spec.config.swiglu_limit.size() == 8U);
}

BOOST_AUTO_TEST_CASE(widths_that_do_not_divide_into_blocks_are_refused) {
  ds4::SyntheticSpec spec = shape("micro");
  spec.types = *ds4::TypeRecipe::parse("experts=q2_k", spec.types);
  const auto done = ds4::write_synthetic_model(folder / "m.gguf", spec);
  BOOST_TEST_REQUIRE(!done.ok());
  BOOST_TEST(done.error().what ==
             "tensor blk.0.ffn_gate_exps.weight: a row of 64 elements does not divide into Q2_K "
             "blocks of 256");
  BOOST_TEST(std::filesystem::is_empty(folder));
}

BOOST_AUTO_TEST_CASE(sparse_models_have_zero_experts_and_real_other_weights) {
  ds4::SyntheticSpec spec = shape("micro");
  spec.holes = ds4::Holes::experts;
  const auto model = ds4::ModelFile::open(write(spec));
  BOOST_TEST_REQUIRE(model.ok());
  const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
  const auto experts = model->bytes(*model->layer_tensor(1, ds4::TensorRole::ffn_down_exps));
  const auto shared = model->bytes(*model->layer_tensor(1, ds4::TensorRole::ffn_down_shexp));
  BOOST_TEST(std::all_of(experts.begin(), experts.end(), is_zero));
  BOOST_TEST(!std::all_of(shared.begin(), shared.end(), is_zero));
}

BOOST_AUTO_TEST_CASE(the_vocabulary_has_all_bytes_specials_and_consistent_merges) {
  const auto vocabulary = ds4::synthetic::make_vocabulary(512);
  BOOST_TEST_REQUIRE(vocabulary.ok());
  const auto& tokens = vocabulary->tokens;
  BOOST_TEST(tokens.size() == 512U);
  BOOST_TEST(vocabulary->types.size() == 512U);
  const std::set<std::string> known(tokens.begin(), tokens.end());
  BOOST_TEST(known.size() == 512U);
  BOOST_TEST(tokens[0] == "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>");
  BOOST_TEST(tokens[1] == "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");
  BOOST_TEST(tokens[3 + 'A'] == "A");
  BOOST_TEST(tokens[3 + ' '] == "\u0120");
  BOOST_TEST(tokens[3 + '\n'] == "\u010A");
  BOOST_TEST(tokens[3 + 0xAD] == "\u0143");
  for (const char* special : {"<\uFF5CUser\uFF5C>", "<\uFF5CAssistant\uFF5C>", "<think>",
                              "</think>", "\uFF5CDSML\uFF5C"}) {
    BOOST_TEST(known.count(special) == 1U);
  }
  BOOST_TEST(vocabulary->merges.size() > 100U);
  for (const std::string& merge : vocabulary->merges) {
    const std::size_t space = merge.find(' ', 1);
    const std::string left = merge.substr(0, space);
    const std::string right = merge.substr(space + 1);
    BOOST_TEST_REQUIRE(
        (known.contains(left) && known.contains(right) && known.contains(left + right)));
  }
  BOOST_TEST(!ds4::synthetic::make_vocabulary(200).ok());
}

BOOST_AUTO_TEST_SUITE_END()
