// The file of the published Flash shape against the tensor list of the model description (model.md
// 1.1, 6.1, 8.1), written out here a second time: nothing of the program's own tables is used.
#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

#include "model/vocabulary_source.hpp"
#include "tests/unit/model/temp_model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

struct Expected {
  std::uint32_t type;  // the id in the file
  std::vector<std::uint64_t> dims;
};
using Table = std::map<std::string, Expected>;

constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ80 = 8, kQ2K = 10, kIq2Xxs = 16, kI32 = 26;

void add_layer(Table& table, int layer) {
  const std::string blk = "blk." + std::to_string(layer) + ".";
  const auto add = [&](const char* name, std::uint32_t type, std::vector<std::uint64_t> dims) {
    table[blk + name] = {type, std::move(dims)};
  };
  for (const char* half : {"hc_attn", "hc_ffn"}) {
    add((std::string(half) + "_fn.weight").c_str(), kF16, {16384, 24});
    add((std::string(half) + "_base.weight").c_str(), kF32, {24});
    add((std::string(half) + "_scale.weight").c_str(), kF32, {3});
  }
  add("attn_norm.weight", kF32, {4096});
  add("ffn_norm.weight", kF32, {4096});
  add("attn_q_a.weight", kQ80, {4096, 1024});
  add("attn_q_a_norm.weight", kF32, {1024});
  add("attn_q_b.weight", kQ80, {1024, 32768});
  add("attn_kv.weight", kQ80, {4096, 512});
  add("attn_kv_a_norm.weight", kF32, {512});
  add("attn_sinks.weight", kF32, {64});
  add("attn_output_a.weight", kQ80, {4096, 8192});
  add("attn_output_b.weight", kQ80, {8192, 4096});
  const bool is_csa = layer >= 2 && layer % 2 == 0;
  const bool is_hca = layer >= 3 && layer % 2 == 1;
  if (is_csa || is_hca) {
    const std::uint64_t width = is_csa ? 1024 : 512;
    add("attn_compressor_kv.weight", kF16, {4096, width});
    add("attn_compressor_gate.weight", kF16, {4096, width});
    add("attn_compressor_ape.weight", kF16, {width, is_csa ? 4U : 128U});
    add("attn_compressor_norm.weight", kF32, {512});
  }
  if (is_csa) {
    add("indexer.attn_q_b.weight", kF16, {1024, 8192});
    add("indexer.proj.weight", kF16, {4096, 64});
    add("indexer_compressor_kv.weight", kF16, {4096, 256});
    add("indexer_compressor_gate.weight", kF16, {4096, 256});
    add("indexer_compressor_ape.weight", kF16, {256, 4});
    add("indexer_compressor_norm.weight", kF32, {128});
  }
  add("ffn_gate_inp.weight", kF16, {4096, 256});
  if (layer < 3) {
    add("ffn_gate_tid2eid.weight", kI32, {6, 129280});
  } else {
    add("exp_probs_b.bias", kF32, {256});
  }
  add("ffn_gate_exps.weight", kIq2Xxs, {4096, 2048, 256});
  add("ffn_up_exps.weight", kIq2Xxs, {4096, 2048, 256});
  add("ffn_down_exps.weight", kQ2K, {2048, 4096, 256});
  add("ffn_gate_shexp.weight", kQ80, {4096, 2048});
  add("ffn_up_shexp.weight", kQ80, {4096, 2048});
  add("ffn_down_shexp.weight", kQ80, {2048, 4096});
}

Table flash_table() {
  Table table;
  table["token_embd.weight"] = {kF16, {4096, 129280}};
  for (int layer = 0; layer < 43; ++layer) add_layer(table, layer);
  table["output_hc_fn.weight"] = {kF16, {16384, 4}};
  table["output_hc_base.weight"] = {kF32, {4}};
  table["output_hc_scale.weight"] = {kF32, {1}};
  table["output_norm.weight"] = {kF32, {4096}};
  table["output.weight"] = {kQ80, {4096, 129280}};
  return table;
}

std::uint64_t stored_bytes(const Expected& tensor) {
  std::uint64_t elements = 1;
  for (const std::uint64_t dim : tensor.dims) elements *= dim;
  switch (tensor.type) {
    case kF16:
      return elements * 2;
    case kQ80:
      return elements / 32 * 34;
    case kQ2K:
      return elements / 256 * 84;
    case kIq2Xxs:
      return elements / 256 * 66;
    default:
      return elements * 4;
  }
}

/// The whole file with every tensor a hole: the head alone takes room on the disk.
struct FlashFile : TempModels {
  FlashFile() {
    ds4::SyntheticSpec spec = shape("flash");
    spec.holes = ds4::Holes::all;
    path = write(spec);
  }
  std::filesystem::path path;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(flash_layout, FlashFile)

BOOST_AUTO_TEST_CASE(the_file_is_that_of_the_description_to_the_byte) {
  BOOST_TEST(std::filesystem::file_size(path) == 86'718'242'912U);
  const auto file = ds4::GgufFile::open(path);
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  const Table table = flash_table();
  BOOST_TEST(table.size() == 1328U);
  BOOST_TEST(file->tensors().size() == 1328U);
  std::uint64_t end = file->data_offset();
  BOOST_TEST(end % 32 == 0U);
  for (const ds4::TensorInfo& tensor : file->tensors()) {
    BOOST_TEST_CONTEXT(tensor.name) {
      const auto found = table.find(std::string(tensor.name));
      BOOST_REQUIRE((found != table.end()));
      const Expected& expected = found->second;
      BOOST_TEST(static_cast<std::uint32_t>(tensor.dtype) == expected.type);
      BOOST_TEST(std::vector<std::uint64_t>(tensor.dims.begin(),
                                            tensor.dims.begin() + tensor.rank) == expected.dims,
                 boost::test_tools::per_element());
      BOOST_TEST(tensor.bytes == stored_bytes(expected));
      // One behind the other, each on the next multiple of 32.
      BOOST_TEST(tensor.offset == (end + 31) / 32 * 32);
      end = tensor.offset + tensor.bytes;
    }
  }
  BOOST_TEST(end == 86'718'242'912U);
  BOOST_TEST(end - file->data_offset() == 86'714'777'664U);
}

BOOST_AUTO_TEST_CASE(the_hyper_parameters_are_those_of_the_description) {
  const auto file = ds4::GgufFile::open(path);
  BOOST_TEST_REQUIRE(file.ok());
  const std::map<std::string, std::uint32_t> counts = {
      {"block_count", 43},
      {"embedding_length", 4096},
      {"vocab_size", 129280},
      {"attention.head_count", 64},
      {"attention.head_count_kv", 1},
      {"attention.key_length", 512},
      {"attention.value_length", 512},
      {"rope.dimension_count", 64},
      {"attention.q_lora_rank", 1024},
      {"attention.output_lora_rank", 1024},
      {"attention.output_group_count", 8},
      {"expert_count", 256},
      {"expert_used_count", 6},
      {"expert_shared_count", 1},
      {"expert_feed_forward_length", 2048},
      {"hash_layer_count", 3},
      {"attention.sliding_window", 128},
      {"attention.indexer.head_count", 64},
      {"attention.indexer.key_length", 128},
      {"attention.indexer.top_k", 512},
      {"hyper_connection.count", 4},
      {"hyper_connection.sinkhorn_iterations", 20}};
  for (const auto& [key, value] : counts) {
    const auto found = file->u32("deepseek4." + key);
    BOOST_TEST_REQUIRE(found.ok(), key);
    BOOST_TEST(*found == value, key);
  }
  const std::map<std::string, float> reals = {{"expert_weights_scale", 1.5F},
                                              {"rope.freq_base", 10000},
                                              {"attention.compress_rope_freq_base", 160000},
                                              {"rope.scaling.factor", 16},
                                              {"rope.scaling.yarn_beta_fast", 32},
                                              {"rope.scaling.yarn_beta_slow", 1},
                                              {"hyper_connection.epsilon", 1e-6F},
                                              {"attention.layer_norm_rms_epsilon", 1e-6F}};
  for (const auto& [key, value] : reals) BOOST_TEST(*file->f32("deepseek4." + key) == value, key);
  BOOST_TEST(*file->u64("deepseek4.rope.scaling.original_context_length") == 65536U);
}

BOOST_AUTO_TEST_CASE(special_tokens_have_the_ids_of_the_released_models_and_text_comes_back) {
  const auto file = ds4::GgufFile::open(path);
  BOOST_TEST_REQUIRE(file.ok());
  const auto source = ds4::vocabulary_source(*file);
  BOOST_TEST_REQUIRE(source.ok(), source.error().what);
  BOOST_TEST_REQUIRE(source->tokens.size() == 129280U);
  BOOST_TEST(source->tokens[0] == "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>");
  BOOST_TEST(source->tokens[1] == "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");
  BOOST_TEST(source->tokens[128803] == "<\uFF5CUser\uFF5C>");
  BOOST_TEST(source->tokens[128804] == "<\uFF5CAssistant\uFF5C>");
  BOOST_TEST(source->tokens[128821] == "<think>");
  BOOST_TEST(source->tokens[128822] == "</think>");
  BOOST_TEST(source->tokens[128825] == "\uFF5CDSML\uFF5C");
  const auto tokenizer = ds4::Tokenizer::make(*source, ds4::ChatTokens::required, {});
  BOOST_TEST_REQUIRE(tokenizer.ok(), tokenizer.error().what);
  const std::string text = "the model reads 12345 tokens\n\u00E9\u4E2D!";
  const auto ids = tokenizer->encode_text(text);
  BOOST_TEST_REQUIRE(ids.ok(), ids.error().what);
  BOOST_TEST(tokenizer->decode(*ids) == text);
  BOOST_TEST(ids->size() < text.size());
}

BOOST_AUTO_TEST_CASE(other_shapes_keep_their_own_length) {
  ds4::SyntheticSpec spec = shape("flash");
  spec.set_layers(42);
  const auto size = ds4::synthetic_size(spec);
  BOOST_TEST_REQUIRE(size.ok(), size.error().what);
  // One sparse layer with scored routing less: its tensors by the table.
  std::uint64_t layer_bytes = 0;
  for (const auto& [name, tensor] : flash_table()) {
    if (name.starts_with("blk.42.")) layer_bytes += (stored_bytes(tensor) + 31) / 32 * 32;
  }
  const std::uint64_t less = 86'718'242'912U - size->file_bytes;
  BOOST_TEST(less > layer_bytes);
  BOOST_TEST(less < layer_bytes + 10'000);  // and its part of the directory, and the description
  spec = shape("pro");
  BOOST_TEST(ds4::synthetic_size(spec)->file_bytes / 100'000'000 ==
             4646U);  // 464.6 GB, model.md 8.2
}

BOOST_AUTO_TEST_SUITE_END()
