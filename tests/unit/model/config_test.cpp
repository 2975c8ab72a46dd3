#include "model/config.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include "format/gguf_writer.hpp"
#include "model/config_keys.hpp"
#include "model/synthetic_parts.hpp"
#include "tests/unit/model/temp_model.hpp"

namespace {

using Header = ds4::GgufHeader;
namespace keys = ds4::keys;

/// The metadata of a model with one key left out or replaced.
struct Edit {
  std::string_view key;
  std::function<void(Header&)> replacement;  // empty: the key is left out
};

ds4::Result<ds4::ModelConfig> read_edited(const ds4::SyntheticSpec& spec, const Edit& edit) {
  Header original;
  BOOST_TEST_REQUIRE(ds4::synthetic::add_metadata(original, spec).ok());
  const std::vector<std::byte> bytes = original.encode();
  const auto source = ds4::GgufFile::parse(bytes, "source");
  BOOST_TEST_REQUIRE(source.ok());
  Header header;
  for (const ds4::GgufEntry& entry : source->metadata()) {
    if (entry.key != edit.key) header.add_copy(entry);
  }
  if (edit.replacement) edit.replacement(header);
  // As many tensors as layers, the fewest that a layer count is believed for.
  const std::uint64_t one[] = {1};
  for (std::uint32_t i = 0; i < spec.config.layers; ++i) {
    BOOST_TEST_REQUIRE(header.add_tensor("t" + std::to_string(i), one, ds4::Dtype::f32).ok());
  }
  std::vector<std::byte> edited = header.encode();
  edited.resize(edited.size() + header.data_bytes());
  const auto file = ds4::GgufFile::parse(edited, "m.gguf");
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  return ds4::ModelConfig::read(*file);
}

Edit with_u32(std::string_view key, std::uint32_t value) {
  return {key, [=](Header& h) { h.add_u32(key, value); }};
}
Edit with_f32(std::string_view key, float value) {
  return {key, [=](Header& h) { h.add_f32(key, value); }};
}

void check_refused(const Edit& edit, const std::string& expected) {
  const auto config = read_edited(shape("tiny"), edit);
  BOOST_TEST_CONTEXT(edit.key << ", expecting " << expected) {
    BOOST_TEST_REQUIRE(!config.ok());
    BOOST_TEST(config.error().what.find(expected) != std::string::npos,
               "got: " << config.error().what);
    BOOST_TEST(config.error().what.starts_with("m.gguf: "));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(both_namings_give_the_same_model) {
  ds4::SyntheticSpec spec = shape("flash");
  const auto first = read_edited(spec, {"none", {}});
  spec.config.naming = ds4::Naming::llama;
  const auto second = read_edited(spec, {"none", {}});
  BOOST_TEST_REQUIRE(first.ok(), first.error().what);
  BOOST_TEST_REQUIRE(second.ok(), second.error().what);
  BOOST_TEST((first->naming == ds4::Naming::ds4));
  BOOST_TEST((second->naming == ds4::Naming::llama));
  for (const ds4::ModelConfig* c : {&*first, &*second}) {
    BOOST_TEST(c->layers == 43U);
    BOOST_TEST(c->mtp_layers == 0U);
    BOOST_TEST(c->width == 4096U);
    BOOST_TEST(c->vocab == 129280U);
    BOOST_TEST(c->heads == 64U);
    BOOST_TEST(c->head_dim == 512U);
    BOOST_TEST(c->rot_dim == 64U);
    BOOST_TEST(c->q_rank == 1024U);
    BOOST_TEST(c->output_groups == 8U);
    BOOST_TEST(c->output_rank == 1024U);
    BOOST_TEST(c->window == 128U);
    BOOST_TEST(c->index_heads == 64U);
    BOOST_TEST(c->index_dim == 128U);
    BOOST_TEST(c->index_top_k == 512U);
    BOOST_TEST(c->experts == 256U);
    BOOST_TEST(c->experts_used == 6U);
    BOOST_TEST(c->expert_width == 2048U);
    BOOST_TEST(c->hash_layers == 3U);
    BOOST_TEST(c->route_scale == 1.5F);
    BOOST_TEST(c->streams == 4U);
    BOOST_TEST(c->hc_mix() == 24U);
    BOOST_TEST(c->sinkhorn_iterations == 20U);
    BOOST_TEST(c->rms_epsilon == 1e-6F);
    BOOST_TEST(c->rope_base == 10000.0F);
    BOOST_TEST(c->compress_rope_base == 160000.0F);
    BOOST_TEST(c->yarn_original_context == 65536U);
    BOOST_TEST(c->swiglu_limit.size() == 43U);
    BOOST_TEST(c->shared_swiglu_limit.back() == 10.0F);
    BOOST_TEST((c->kind(0) == ds4::LayerKind::window));
    BOOST_TEST((c->kind(42) == ds4::LayerKind::sparse));
    BOOST_TEST((c->kind(41) == ds4::LayerKind::fully_compressed));
  }
}

BOOST_AUTO_TEST_CASE(another_architecture_is_refused_by_name) {
  const Edit edit{keys::kArchitecture,
                  [](Header& h) { h.add_string(keys::kArchitecture, "qwen3"); }};
  const auto config = read_edited(shape("tiny"), edit);
  BOOST_TEST_REQUIRE(!config.ok());
  BOOST_TEST((config.error().code == ds4::Errc::unsupported));
  BOOST_TEST(config.error().what ==
             "m.gguf: architecture 'qwen3' is not supported, 'deepseek4' is");
}

BOOST_AUTO_TEST_CASE(every_required_key_is_missed_by_name) {
  for (const std::string_view key :
       {keys::kArchitecture, keys::kLayers,           keys::kWidth,        keys::kHeads,
        keys::kKvHeads,      keys::kKeyLength,        keys::kValueLength,  keys::kRotDim,
        keys::kQRank,        keys::kOutputRank,       keys::kOutputGroups, keys::kWindow,
        keys::kIndexHeads,   keys::kIndexDim,         keys::kIndexTopK,    keys::kRatios,
        keys::kRmsEpsilon,   keys::kExperts,          keys::kExpertsUsed,  keys::kSharedExperts,
        keys::kExpertWidth,  keys::kHashLayers,       keys::kRouteScale,   keys::kRouteNorm,
        keys::kSwigluLimit,  keys::kStreams,          keys::kSinkhorn,     keys::kHcEpsilon,
        keys::kRopeBase,     keys::kCompressRopeBase, keys::kYarnFactor,   keys::kYarnBetaFast,
        keys::kYarnBetaSlow, keys::kYarnContext}) {
    check_refused({key, {}}, "metadata key '" + std::string(key) + "' is missing");
  }
}

BOOST_AUTO_TEST_CASE(optional_keys_may_be_absent) {
  for (const std::string_view key :
       {keys::kName, keys::kContext, keys::kGatingFunction, keys::kRopeScaling, keys::kVocab}) {
    const auto config = read_edited(shape("tiny"), {key, {}});
    BOOST_TEST_CONTEXT(key) {
      BOOST_TEST_REQUIRE(config.ok(), config.error().what);
      BOOST_TEST(config->vocab == 512U);
    }
  }
}

BOOST_AUTO_TEST_CASE(counts_outside_their_range_are_refused) {
  for (const std::string_view key :
       {keys::kLayers, keys::kWidth, keys::kHeads, keys::kKeyLength, keys::kQRank,
        keys::kOutputRank, keys::kOutputGroups, keys::kWindow, keys::kIndexHeads, keys::kIndexDim,
        keys::kIndexTopK, keys::kExperts, keys::kExpertsUsed, keys::kExpertWidth, keys::kStreams,
        keys::kSinkhorn}) {
    check_refused(with_u32(key, 0), key == keys::kKeyLength
                                        ? "accepted is the key length 0"
                                        : std::string(key) + "' is 0, accepted");
  }
  check_refused(with_u32(keys::kWidth, 0x80000000U), "accepted is 1..2147483647");
  check_refused(with_u32(keys::kStreams, 17), "is 17, accepted is 1..16");
  check_refused(with_u32(keys::kSinkhorn, 1001), "is 1001, accepted is 1..1000");
  check_refused(with_u32(keys::kExpertsUsed, 9), "is 9, accepted is 1..8");
  check_refused(with_u32(keys::kKvHeads, 2), "is 2, accepted is 1");
  check_refused(with_u32(keys::kSharedExperts, 2), "is 2, accepted is 1");
  check_refused(with_u32(keys::kHashLayers, 6), "is 6, accepted is 0..5");
  check_refused(with_u32(keys::kOutputGroups, 3), "is 3, accepted is a divisor of the 8 heads");
  check_refused(with_u32(keys::kVocab, 100), "accepted is at most deepseek4.vocab_size = 100");
}

BOOST_AUTO_TEST_CASE(shapes_that_the_mathematics_cannot_use_are_refused) {
  check_refused(with_u32(keys::kValueLength, 32), "is 32, accepted is the key length 64");
  check_refused(with_u32(keys::kRotDim, 15), "is 15, accepted is an even number in 2..32");
  check_refused(with_u32(keys::kRotDim, 34), "is 34, accepted is an even number in 2..32");
  check_refused(with_u32(keys::kRotDim, 0), "is 0, accepted is an even number in 2..32");
  check_refused(with_u32(keys::kIndexDim, 48), "is 48, accepted is a power of two");
  check_refused(with_u32(keys::kExpertGroups, 8), "is 8, accepted is 0");
  check_refused(with_u32(keys::kGatingFunction, 2), "is 2, accepted is 4");
  check_refused({keys::kRouteNorm, [](Header& h) { h.add_bool(keys::kRouteNorm, false); }},
                "is false, accepted is true");
}

BOOST_AUTO_TEST_CASE(ratios_other_than_0_4_and_128_are_refused) {
  const auto with = [](std::vector<std::int32_t> ratios) {
    return Edit{keys::kRatios, [=](Header& h) { h.add_i32_array(keys::kRatios, ratios); }};
  };
  check_refused(with({0, 0, 8, 128, 4}), "is 8, accepted is 0, 4 or 128");
  check_refused(with({0, 0, 4, 128}), "is 4 values, accepted is one per layer, at least 5");
  check_refused(with({0, 0, -4, 128, 4}), "found i32 -4 at index 2");
  const auto longer = read_edited(shape("tiny"), with({0, 0, 4, 128, 4, 0}));
  BOOST_TEST_REQUIRE(longer.ok());
  BOOST_TEST(longer->ratios.size() == 5U);
}

BOOST_AUTO_TEST_CASE(reals_outside_their_range_are_refused) {
  check_refused(with_f32(keys::kRouteScale, 0), "is 0, accepted is a finite number > 0");
  check_refused(with_f32(keys::kRmsEpsilon, -1), "is -1, accepted is a finite number > 0");
  check_refused(with_f32(keys::kHcEpsilon, 0), "accepted is a finite number > 0");
  check_refused(with_f32(keys::kRopeBase, 1), "is 1, accepted is a finite number > 1");
  check_refused(with_f32(keys::kCompressRopeBase, 0.5F), "accepted is a finite number > 1");
  check_refused(with_f32(keys::kYarnFactor, 0.5F), "accepted is a finite number >= 1");
  check_refused(with_f32(keys::kYarnBetaSlow, 0), "accepted is a finite number > 0");
  check_refused(with_f32(keys::kYarnBetaFast, 1), "is 1, accepted is a finite number > 1");
  check_refused(with_u32(keys::kYarnContext, 0), "is 0, accepted is 1..4294967295");
  check_refused({keys::kYarnContext, [](Header& h) { h.add_u64(keys::kYarnContext, 1ULL << 32); }},
                "is 4294967296, accepted is 1..4294967295");
  check_refused(with_f32(keys::kRopeBase, std::numeric_limits<float>::infinity()),
                "expected a finite number");
}

BOOST_AUTO_TEST_CASE(more_layers_than_tensors_are_refused) {
  const Edit edit{keys::kLayers, [](Header& h) { h.add_u32(keys::kLayers, 0x7FFFFFFFU); }};
  check_refused(edit, "is 2147483647, accepted is at most the 5 tensors of the file");
}

BOOST_AUTO_TEST_CASE(products_beyond_31_bits_are_refused_with_their_keys) {
  const auto check = [](std::uint32_t ds4::ModelConfig::*count, std::uint32_t value,
                        const std::string& expected) {
    ds4::ModelConfig config = shape("tiny").config;
    BOOST_TEST_REQUIRE(config.validate("m").ok());
    config.*count = value;
    const auto done = config.validate("m");
    BOOST_TEST_REQUIRE(!done.ok(), expected);
    BOOST_TEST(done.error().what == expected);
  };
  using Config = ds4::ModelConfig;
  check(&Config::head_dim, 1U << 29,
        "m: 4 times key 'deepseek4.attention.key_length' = 536870912 is 2147483648, accepted is at "
        "most 2147483647");
  check(&Config::index_dim, 1U << 29,
        "m: 4 times key 'deepseek4.attention.indexer.key_length' = 536870912 is 2147483648, "
        "accepted is at most 2147483647");
  check(&Config::width, 1U << 29,
        "m: key 'deepseek4.hyper_connection.count' = 4 times key 'deepseek4.embedding_length' = "
        "536870912 is 2147483648, accepted is at most 2147483647");
  check(&Config::heads, 1U << 25,
        "m: key 'deepseek4.attention.head_count' = 33554432 times key "
        "'deepseek4.attention.key_length' = 64 is 2147483648, accepted is at most 2147483647");
  check(&Config::index_heads, 1U << 26,
        "m: key 'deepseek4.attention.indexer.head_count' = 67108864 times key "
        "'deepseek4.attention.indexer.key_length' = 32 is 2147483648, accepted is at most "
        "2147483647");
  check(&Config::output_rank, 1U << 30,
        "m: key 'deepseek4.attention.output_group_count' = 2 times key "
        "'deepseek4.attention.output_lora_rank' = 1073741824 is 2147483648, accepted is at most "
        "2147483647");
}

BOOST_AUTO_TEST_CASE(swiglu_limits_come_as_array_or_scalar) {
  const std::vector<float> limits = {1, 2, 3, 4, 5, 6};
  const auto array = read_edited(shape("tiny"), {keys::kSwigluLimit, [&](Header& h) {
                                                   h.add_f32_array(keys::kSwigluLimit, limits);
                                                 }});
  BOOST_TEST_REQUIRE(array.ok());
  BOOST_TEST(array->swiglu_limit == (std::vector<float>{1, 2, 3, 4, 5}),
             boost::test_tools::per_element());
  BOOST_TEST(array->shared_swiglu_limit == array->swiglu_limit, boost::test_tools::per_element());
  const auto scalar = read_edited(shape("tiny"), with_f32(keys::kSwigluLimit, -1));
  BOOST_TEST_REQUIRE(scalar.ok());
  BOOST_TEST(scalar->swiglu_limit == std::vector<float>(5, -1.0F),
             boost::test_tools::per_element());
  const std::vector<float> few = {1, 2};
  check_refused({keys::kSwigluLimit, [&](Header& h) { h.add_f32_array(keys::kSwigluLimit, few); }},
                "is 2 values, accepted is one per layer, at least 5");
}

BOOST_AUTO_TEST_CASE(a_shared_limit_of_its_own_is_kept_apart) {
  const auto config = read_edited(shape("tiny"), with_f32(keys::kSharedSwigluLimit, 7));
  BOOST_TEST_REQUIRE(config.ok());
  BOOST_TEST(config->swiglu_limit[0] == 10.0F);
  BOOST_TEST(config->shared_swiglu_limit[0] == 7.0F);
}

BOOST_AUTO_TEST_CASE(mtp_count_without_mtp_tensors_leaves_all_blocks_main) {
  const auto config = read_edited(shape("tiny"), with_u32(keys::kMtpLayers, 1));
  BOOST_TEST_REQUIRE(config.ok());
  BOOST_TEST(config->layers == 5U);
  BOOST_TEST(config->mtp_layers == 0U);
  check_refused(with_u32(keys::kMtpLayers, 5), "is 5, accepted is 0..4");
}

BOOST_AUTO_TEST_SUITE_END()
