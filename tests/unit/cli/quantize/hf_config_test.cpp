#include "quantize/hf_config.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "quantize/checkpoint.hpp"

using ds4::Errc;
using ds4::quantize::parse_hf_config;

namespace {

std::string good_text() {
  const std::filesystem::path path =
      std::filesystem::path(DS4_SOURCE_DIR) / "tests/golden/checkpoint/config.json";
  const auto text = ds4::quantize::read_text(path);
  BOOST_REQUIRE(text.ok());
  return *text;
}

// The good text with one piece replaced.
std::string with(std::string_view from, std::string_view to) {
  std::string text = good_text();
  const std::size_t at = text.find(from);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, from);
  return text.replace(at, from.size(), to);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantize_config)

BOOST_AUTO_TEST_CASE(the_official_keys_give_the_shape) {
  const auto config = parse_hf_config(good_text(), "config.json");
  BOOST_REQUIRE_MESSAGE(config.ok(), config.error().what);
  BOOST_TEST(config->model.layers == 3U);
  BOOST_TEST(config->model.rot_dim == 8U);
  BOOST_TEST(config->model.output_rank == 80U);
  BOOST_TEST(config->model.yarn_original_context == 65536U);
  BOOST_TEST(config->model.swiglu_limit.size() == 3U);
  BOOST_TEST(config->mtp_blocks == 1U);
}

BOOST_AUTO_TEST_CASE(every_broken_value_is_named) {
  struct Case {
    std::string_view from;
    std::string_view to;
    std::string_view key;
  };
  const Case cases[] = {
      {"\"head_dim\": 32", "\"head_dim\": \"32\"", "head_dim"},
      {"\"head_dim\": 32", "\"head_dimension\": 32", "head_dim"},
      {"\"head_dim\": 32", "\"head_dim\": -32", "head_dim"},
      {"\"hidden_size\": 32", "\"hidden_size\": 3.5", "hidden_size"},
      {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 9", "compress_ratios"},
      {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4000000000", "num_hidden_layers"},
      {"\"factor\": 16.0", "\"factor\": null", "rope_scaling.factor"},
      {"\"hc_eps\": 1e-06", "\"hc_eps\": \"tiny\"", "hc_eps"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.to) {
      const auto config = parse_hf_config(with(c.from, c.to), "config.json");
      BOOST_REQUIRE(!config.ok());
      BOOST_TEST((config.error().code == Errc::bad_file));
      BOOST_TEST(config.error().what.find(c.key) != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(another_model_or_router_is_unsupported) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"deepseek_v4", "deepseek_v3"},
      {"sqrtsoftplus", "sigmoid"},
      {"\"norm_topk_prob\": true", "\"norm_topk_prob\": false"},
      {"\"n_shared_experts\": 1", "\"n_shared_experts\": 2"},
      {"\"yarn\"", "\"linear\""},
  };
  for (const auto& [from, to] : cases) {
    BOOST_TEST_CONTEXT(to) {
      const auto config = parse_hf_config(with(from, to), "config.json");
      BOOST_REQUIRE(!config.ok());
      BOOST_TEST((config.error().code == Errc::unsupported));
    }
  }
}

BOOST_AUTO_TEST_CASE(text_that_is_no_json_object_is_refused) {
  for (const std::string_view text : {"", "{", "[]", "3", "{\"model_type\":}"}) {
    BOOST_TEST((parse_hf_config(text, "config.json").error().code == Errc::bad_file));
  }
}

BOOST_AUTO_TEST_SUITE_END()
