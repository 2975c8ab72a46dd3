#include "quantize/recipe.hpp"

#include <boost/test/unit_test.hpp>

using ds4::Dtype;
using ds4::TensorRole;
using ds4::quantize::Recipe;

namespace {

Dtype type_of(std::string_view type, std::string_view experts, TensorRole role, bool is_fp4) {
  const auto recipe = Recipe::parse(type, experts);
  BOOST_REQUIRE(recipe.ok());
  return recipe->of(role, is_fp4);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantize_recipe)

BOOST_AUTO_TEST_CASE(auto_keeps_fp4_experts_exact_and_follows_the_published_layout) {
  BOOST_TEST((type_of("auto", "", TensorRole::ffn_gate_exps, true) == Dtype::mxfp4));
  BOOST_TEST((type_of("auto", "", TensorRole::ffn_gate_exps, false) == Dtype::q8_0));
  BOOST_TEST((type_of("auto", "", TensorRole::attn_kv, false) == Dtype::q8_0));
  BOOST_TEST((type_of("auto", "", TensorRole::token_embd, false) == Dtype::f16));
  BOOST_TEST((type_of("auto", "", TensorRole::attn_norm, false) == Dtype::f32));
  BOOST_TEST((type_of("auto", "", TensorRole::ffn_gate_tid2eid, false) == Dtype::i32));
}

BOOST_AUTO_TEST_CASE(experts_may_have_types_of_their_own) {
  BOOST_TEST((type_of("auto", "iq2_xxs/q2_k", TensorRole::ffn_up_exps, true) == Dtype::iq2_xxs));
  BOOST_TEST((type_of("auto", "iq2_xxs/q2_k", TensorRole::ffn_down_exps, true) == Dtype::q2_k));
  BOOST_TEST((type_of("f16", "mxfp4", TensorRole::ffn_down_exps, false) == Dtype::mxfp4));
  BOOST_TEST((type_of("f32", "", TensorRole::indexer_proj, false) == Dtype::f32));
}

BOOST_AUTO_TEST_CASE(types_that_nothing_could_load_are_refused) {
  for (const auto& [type, experts] :
       {std::pair{"q9", ""}, {"mxfp4", ""}, {"i32", ""}, {"auto", "i32"}, {"auto", "q4_k/"}}) {
    BOOST_TEST(!Recipe::parse(type, experts).ok());
  }
}

BOOST_AUTO_TEST_SUITE_END()
