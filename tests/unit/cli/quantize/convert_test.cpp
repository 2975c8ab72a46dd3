#include "quantize/convert.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <sstream>

#include "format/quants/quants.hpp"
#include "model/counter_rng.hpp"
#include "model/model_file.hpp"
#include "quantize/checkpoint.hpp"
#include "tests/unit/cli/quantize/scratch.hpp"

using ds4::Dtype;
using ds4::Errc;
using ds4::GgufFile;
using ds4::ModelFile;
using ds4::TensorInfo;
using ds4::quantize::convert;
using ds4::quantize::ConvertOptions;
using ds4::quantize::read_text;
using ds4::quantize::Recipe;
using ds4::test::Scratch;

namespace {

const std::filesystem::path kCheckpoint =
    std::filesystem::path(DS4_SOURCE_DIR) / "tests/golden/checkpoint";

ConvertOptions options_for(const Scratch& scratch, std::string_view type,
                           std::string_view experts = "") {
  ConvertOptions options;
  options.source = kCheckpoint;
  options.output = scratch.path() / (std::string(type) + ".gguf");
  options.threads = 2;
  const auto recipe = Recipe::parse(type, experts);
  BOOST_REQUIRE(recipe.ok());
  options.recipe = *recipe;
  return options;
}

ModelFile convert_to(const Scratch& scratch, std::string_view type, std::string_view experts = "") {
  const ConvertOptions options = options_for(scratch, type, experts);
  const auto report = convert(options);
  BOOST_REQUIRE_MESSAGE(report.ok(), report.error().what);
  BOOST_TEST(std::filesystem::file_size(options.output) == report->file_bytes);
  auto model = ModelFile::open(options.output);
  BOOST_REQUIRE_MESSAGE(model.ok(), model.error().what);
  return *std::move(model);
}

std::vector<float> values_of(const GgufFile& file, const TensorInfo& tensor) {
  std::vector<float> out(tensor.elements());
  const auto bytes = file.bytes(tensor);
  for (std::uint64_t row = 0; row < tensor.rows(); ++row) {
    const auto done = dequantize_row(tensor.dtype, bytes.data() + row * tensor.row_bytes(),
                                     out.data() + row * tensor.dims[0], tensor.dims[0]);
    BOOST_REQUIRE(done.ok());
  }
  return out;
}

std::uint64_t digest(std::span<const std::byte> bytes) {
  return ds4::fnv1a64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// What tests/oracle/save_checkpoint.py decoded the stored bytes to.
std::map<std::string, std::uint64_t> read_digests() {
  const auto text = read_text(kCheckpoint / "digests.txt");
  BOOST_REQUIRE(text.ok());
  std::istringstream lines(*text);
  std::map<std::string, std::uint64_t> out;
  std::string name;
  std::uint64_t value = 0;
  while (lines >> name >> std::hex >> value) out[name] = value;
  return out;
}

// A copy of the committed checkpoint that a test may damage.
void copy_checkpoint(const Scratch& scratch) {
  for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"}) {
    std::filesystem::copy_file(kCheckpoint / file, scratch.path() / file);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantize_convert)

BOOST_AUTO_TEST_CASE(an_f32_file_holds_exactly_what_the_fp8_fp4_and_bf16_bytes_stand_for) {
  const Scratch scratch("convert-exact");
  const ModelFile model = convert_to(scratch, "f32");
  const auto digests = read_digests();
  BOOST_TEST(model.gguf().tensors().size() == digests.size());
  for (const TensorInfo& tensor : model.gguf().tensors()) {
    const auto expected = digests.find(std::string(tensor.name));
    BOOST_REQUIRE_MESSAGE(expected != digests.end(), tensor.name);
    BOOST_TEST_CONTEXT(tensor.name) {
      BOOST_TEST(digest(model.gguf().bytes(tensor)) == expected->second);
    }
  }
}

BOOST_AUTO_TEST_CASE(fp4_experts_keep_every_value_in_mxfp4) {
  const Scratch scratch("convert-mxfp4");
  const ModelFile exact = convert_to(scratch, "f32");
  const ModelFile packed = convert_to(scratch, "auto");
  int compared = 0;
  for (const TensorInfo& tensor : packed.gguf().tensors()) {
    if (tensor.dtype != Dtype::mxfp4) continue;
    const TensorInfo* reference = exact.gguf().find_tensor(tensor.name);
    BOOST_REQUIRE(reference != nullptr);
    BOOST_TEST(values_of(packed.gguf(), tensor) == values_of(exact.gguf(), *reference));
    ++compared;
  }
  BOOST_TEST(compared == 9);
}

BOOST_AUTO_TEST_CASE(q8_0_projections_stay_within_half_a_step_of_the_source) {
  const Scratch scratch("convert-q8");
  const ModelFile exact = convert_to(scratch, "f32");
  const ModelFile rounded = convert_to(scratch, "q8_0");
  int compared = 0;
  for (const TensorInfo& tensor : rounded.gguf().tensors()) {
    if (tensor.dtype != Dtype::q8_0) continue;
    const auto got = values_of(rounded.gguf(), tensor);
    const auto want = values_of(exact.gguf(), *exact.gguf().find_tensor(tensor.name));
    for (std::size_t block = 0; block < got.size(); block += 32) {
      float most = 0;
      for (std::size_t i = block; i < block + 32; ++i) most = std::fmax(most, std::fabs(want[i]));
      // Half a step of most/127, plus 127 times the rounding of the step to binary16 (2^-11).
      const float bound = most / 127 * 0.5F + most / 2048 + 1e-30F;
      for (std::size_t i = block; i < block + 32; ++i) {
        BOOST_REQUIRE_LE(std::fabs(got[i] - want[i]), bound * 1.00001F);
      }
    }
    ++compared;
  }
  BOOST_TEST(compared == 3 * 5 + 3 * 3 + 3 * 3 + 1);
}

BOOST_AUTO_TEST_CASE(the_file_does_not_depend_on_the_number_of_threads) {
  const Scratch scratch("convert-threads");
  ConvertOptions options = options_for(scratch, "q8_0");
  std::string first;
  for (const std::uint32_t threads : {1U, 3U}) {
    options.threads = threads;
    BOOST_REQUIRE(convert(options).ok());
    const auto bytes = read_text(options.output);
    BOOST_REQUIRE(bytes.ok());
    if (first.empty()) first = *bytes;
    BOOST_TEST((*bytes == first));
  }
}

BOOST_AUTO_TEST_CASE(shape_and_tokens_come_from_the_json_files) {
  const Scratch scratch("convert-metadata");
  const ModelFile model = convert_to(scratch, "auto");
  BOOST_TEST(model.config().ratios == (std::vector<std::uint32_t>{0, 4, 128}),
             boost::test_tools::per_element());
  BOOST_TEST(model.config().streams == 2U);
  BOOST_TEST(model.config().compress_rope_base == 160000.0F);
  BOOST_TEST(model.config().rms_epsilon == 1e-6F);
  BOOST_TEST(model.unused_tensors() == 0U);
  const auto tokens = model.gguf().string_array("tokenizer.ggml.tokens");
  BOOST_REQUIRE(tokens.ok());
  BOOST_TEST(tokens->size() == 64U);
  BOOST_TEST((*tokens)[2] == "!");
  BOOST_TEST((*tokens)[60] == "<think>");
  BOOST_TEST((*tokens)[61] == "[PAD61]");
}

BOOST_AUTO_TEST_CASE(a_dry_run_gives_the_size_and_writes_nothing) {
  const Scratch scratch("convert-dry");
  ConvertOptions options = options_for(scratch, "f16");
  options.is_dry_run = true;
  const auto planned = convert(options);
  BOOST_REQUIRE(planned.ok());
  BOOST_TEST(!std::filesystem::exists(options.output));
  options.is_dry_run = false;
  BOOST_REQUIRE(convert(options).ok());
  BOOST_TEST(std::filesystem::file_size(options.output) == planned->file_bytes);
}

BOOST_AUTO_TEST_CASE(a_type_that_rows_do_not_fit_leaves_no_file) {
  const Scratch scratch("convert-blocks");
  const ConvertOptions options = options_for(scratch, "auto", "q4_k");
  const auto report = convert(options);
  BOOST_REQUIRE(!report.ok());
  BOOST_TEST((report.error().code == Errc::invalid_argument));
  BOOST_TEST(std::filesystem::is_empty(scratch.path()));
}

BOOST_AUTO_TEST_CASE(a_nan_in_the_weights_is_an_error_that_names_the_tensor) {
  const Scratch scratch("convert-nan");
  copy_checkpoint(scratch);
  auto bytes = read_text(scratch.path() / "model.safetensors");
  BOOST_REQUIRE(bytes.ok());
  // The first tensor behind the header is the BF16 embedding.
  std::uint64_t header = 0;
  std::memcpy(&header, bytes->data(), sizeof(header));
  (*bytes)[8 + header] = '\xff';
  (*bytes)[8 + header + 1] = '\xff';
  scratch.write("model.safetensors", *bytes);
  ConvertOptions options = options_for(scratch, "f32");
  options.source = scratch.path();
  const auto report = convert(options);
  BOOST_REQUIRE(!report.ok());
  BOOST_TEST((report.error().code == Errc::bad_file));
  BOOST_TEST(report.error().what.find("token_embd.weight") != std::string::npos);
  BOOST_TEST(!std::filesystem::exists(options.output));
}

BOOST_AUTO_TEST_CASE(a_config_of_another_shape_names_the_tensor_that_differs) {
  struct Case {
    std::string_view from;
    std::string_view to;
    std::string_view tensor;
  };
  // The large counts would not fit any memory, were they believed.
  const Case cases[] = {
      {"\"q_lora_rank\": 32", "\"q_lora_rank\": 64", "layers.0.attn.wq_a.weight"},
      {"\"vocab_size\": 64", "\"vocab_size\": 2000000000", "embed.weight"},
      {"\"n_routed_experts\": 4", "\"n_routed_experts\": 2000000000", "layers.0.ffn.gate.weight"},
  };
  for (const Case& c : cases) {
    const Scratch scratch("convert-shape");
    copy_checkpoint(scratch);
    auto text = read_text(scratch.path() / "config.json");
    BOOST_REQUIRE(text.ok());
    const std::size_t at = text->find(c.from);
    BOOST_REQUIRE(at != std::string::npos);
    scratch.write("config.json", text->replace(at, c.from.size(), c.to));
    ConvertOptions options = options_for(scratch, "f32");
    options.source = scratch.path();
    const auto report = convert(options);
    BOOST_REQUIRE(!report.ok());
    BOOST_TEST(report.error().what.find(c.tensor) != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
