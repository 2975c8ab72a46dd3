#include "model/tensors.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

#include "tests/unit/model/temp_model.hpp"

using ds4::TensorRole;

BOOST_AUTO_TEST_SUITE(tensors)

BOOST_AUTO_TEST_CASE(names_follow_the_files) {
  BOOST_TEST(ds4::global_tensor_name(TensorRole::output_hc_fn) == "output_hc_fn.weight");
  BOOST_TEST(ds4::layer_tensor_name(12, TensorRole::indexer_q_b) ==
             "blk.12.indexer.attn_q_b.weight");
  BOOST_TEST(ds4::layer_tensor_name(12, TensorRole::exp_probs_bias) == "blk.12.exp_probs_b.bias");
  BOOST_TEST(ds4::layer_tensor_name(43, TensorRole::mtp_norm) ==
             "blk.43.nextn.shared_head_norm.weight");
  BOOST_TEST(ds4::mtp_tensor_name(0, TensorRole::mtp_norm) == "mtp.0.norm.weight");
  BOOST_TEST(ds4::mtp_tensor_name(0, TensorRole::attn_kv) == "mtp.0.attn_kv.weight");
}

BOOST_AUTO_TEST_CASE(every_name_parses_back_to_its_role) {
  for (const ds4::TensorSpec& spec : ds4::main_tensors(shape("tiny").config)) {
    const auto key = ds4::parse_tensor_name(spec.name);
    BOOST_TEST_CONTEXT(spec.name) {
      BOOST_TEST_REQUIRE(key.has_value());
      BOOST_TEST((key->role == spec.role));
      BOOST_TEST((key->layer == spec.layer));
      BOOST_TEST(!key->is_mtp_file);
    }
  }
  const auto mtp = ds4::parse_tensor_name("mtp.2.hc_head_fn.weight");
  BOOST_TEST_REQUIRE(mtp.has_value());
  BOOST_TEST((mtp->role == TensorRole::mtp_hc_head_fn && *mtp->layer == 2 && mtp->is_mtp_file));
  BOOST_TEST((ds4::parse_tensor_name("blk.43.nextn.enorm.weight")->role == TensorRole::mtp_enorm));
}

BOOST_AUTO_TEST_CASE(foreign_names_do_not_parse) {
  for (const char* name : {"blk.0.attn_v.weight", "blk.x.attn_kv.weight", "blk.01.attn_kv.weight",
                           "blk.0attn_kv.weight", "attn_kv.weight", "blk.0.output.weight",
                           "blk.99999999999.attn_kv.weight", "rope_freqs.weight", "", "blk."}) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(!ds4::parse_tensor_name(name).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(flash_has_the_tensors_and_shapes_of_the_released_files) {
  const ds4::ModelConfig config = shape("flash").config;
  const auto list = ds4::main_tensors(config);
  // 6 outside the layers; a layer has 24 of its own, 4 compressor tensors when its ratio is not 0
  // (41 layers) and 6 of the indexer when it is 4 (21 layers).
  BOOST_TEST(list.size() == 6U + 43U * 24U + 41U * 4U + 21U * 6U);
  const auto dims = [&](const std::string& name) {
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const auto& s) { return s.name == name; });
    BOOST_TEST_REQUIRE((found != list.end()), name);
    return found->dims;
  };
  using Dims = std::vector<std::uint64_t>;
  BOOST_TEST((dims("token_embd.weight") == Dims{4096, 129280}));
  BOOST_TEST((dims("blk.0.hc_attn_fn.weight") == Dims{16384, 24}));
  BOOST_TEST((dims("blk.7.attn_q_b.weight") == Dims{1024, 32768}));
  BOOST_TEST((dims("blk.7.attn_output_a.weight") == Dims{4096, 8192}));
  BOOST_TEST((dims("blk.2.attn_compressor_kv.weight") == Dims{4096, 1024}));
  BOOST_TEST((dims("blk.3.attn_compressor_kv.weight") == Dims{4096, 512}));
  BOOST_TEST((dims("blk.3.attn_compressor_ape.weight") == Dims{512, 128}));
  BOOST_TEST((dims("blk.2.indexer.attn_q_b.weight") == Dims{1024, 8192}));
  BOOST_TEST((dims("blk.2.indexer_compressor_ape.weight") == Dims{256, 4}));
  BOOST_TEST((dims("blk.2.ffn_gate_tid2eid.weight") == Dims{6, 129280}));
  BOOST_TEST((dims("blk.42.ffn_down_exps.weight") == Dims{2048, 4096, 256}));
}

BOOST_AUTO_TEST_CASE(flash_in_the_q2_recipe_has_the_published_size) {
  const ds4::SyntheticSpec spec = shape("flash");
  std::uint64_t bytes = 0;
  for (const ds4::TensorSpec& tensor : ds4::main_tensors(spec.config)) {
    std::uint64_t size = *ds4::row_bytes(spec.types.of(tensor.role), tensor.dims[0]);
    for (std::size_t i = 1; i < tensor.dims.size(); ++i) size *= tensor.dims[i];
    bytes += size;
  }
  // The published file has 86,718,242,912 bytes; metadata and padding are below 16 MB.
  BOOST_TEST(bytes < 86'718'242'912U);
  BOOST_TEST(bytes > 86'718'242'912U - 16'000'000U);
}

BOOST_AUTO_TEST_CASE(layers_have_what_their_kind_needs) {
  const auto has = [](std::uint32_t ratio, bool is_hash, TensorRole role) {
    const auto roles = ds4::layer_roles(ratio, is_hash);
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  };
  BOOST_TEST(!has(0, false, TensorRole::attn_compressor_kv));
  BOOST_TEST(has(128, false, TensorRole::attn_compressor_kv));
  BOOST_TEST(!has(128, false, TensorRole::indexer_proj));
  BOOST_TEST(has(4, false, TensorRole::indexer_proj));
  BOOST_TEST(has(0, true, TensorRole::ffn_gate_tid2eid));
  BOOST_TEST(!has(0, true, TensorRole::exp_probs_bias));
  BOOST_TEST(has(0, false, TensorRole::exp_probs_bias));
}

BOOST_AUTO_TEST_SUITE_END()
