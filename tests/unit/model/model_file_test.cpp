#include "model/model_file.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>

#include "format/gguf_writer.hpp"
#include "tests/unit/model/temp_model.hpp"

using ds4::TensorRole;

namespace {

/// A micro model in memory whose directory can be rewritten before it is opened.
struct Micro : TempModels {
  Micro() : bytes(read_all(write(shape("micro")))) {}

  /// The same metadata with each tensor as `edit` leaves it (false drops it); data are zeros.
  template <class Edit>
  ds4::Result<ds4::ModelFile> reopen(Edit edit) {
    const auto file = ds4::GgufFile::parse(bytes, "source");
    BOOST_TEST_REQUIRE(file.ok());
    ds4::GgufHeader header;
    for (const ds4::GgufEntry& entry : file->metadata()) header.add_copy(entry);
    for (ds4::TensorInfo tensor : file->tensors()) {
      if (!edit(tensor)) continue;
      const auto dims = std::span(tensor.dims).first(tensor.rank);
      BOOST_TEST_REQUIRE(header.add_tensor(tensor.name, dims, tensor.dtype).ok());
    }
    edited = header.encode();
    edited.resize(edited.size() + header.data_bytes());
    auto parsed = ds4::GgufFile::parse(edited, "m.gguf");
    BOOST_TEST_REQUIRE(parsed.ok(), parsed.error().what);
    return ds4::ModelFile::from(*std::move(parsed));
  }

  void check_refused(std::string_view name, const std::function<bool(ds4::TensorInfo&)>& change,
                     const std::string& expected) {
    const auto model = reopen([&](ds4::TensorInfo& t) { return t.name != name || change(t); });
    BOOST_TEST_CONTEXT(name << ", expecting " << expected) {
      BOOST_TEST_REQUIRE(!model.ok());
      BOOST_TEST(model.error().what == expected);
    }
  }

  std::vector<std::byte> bytes;
  std::vector<std::byte> edited;
};

const auto kDrop = [](ds4::TensorInfo&) { return false; };
const auto kKeep = [](ds4::TensorInfo&) { return true; };

}  // namespace

BOOST_FIXTURE_TEST_SUITE(model_file, Micro)

BOOST_AUTO_TEST_CASE(tensors_are_found_by_layer_and_role) {
  const auto model = ds4::ModelFile::open(folder / "m.gguf");
  BOOST_TEST_REQUIRE(model.ok(), model.error().what);
  BOOST_TEST(model->config().layers == 4U);
  BOOST_TEST(model->unused_tensors() == 0U);
  BOOST_TEST(model->global_tensor(TensorRole::output)->name == "output.weight");
  BOOST_TEST(model->layer_tensor(2, TensorRole::attn_kv)->name == "blk.2.attn_kv.weight");
  BOOST_TEST((model->layer_tensor(0, TensorRole::attn_compressor_kv) == nullptr));
  BOOST_TEST((model->layer_tensor(2, TensorRole::indexer_proj) == nullptr));
  BOOST_TEST((model->layer_tensor(1, TensorRole::indexer_proj) != nullptr));
  BOOST_TEST((model->layer_tensor(0, TensorRole::ffn_gate_tid2eid) != nullptr));
  BOOST_TEST((model->layer_tensor(1, TensorRole::ffn_gate_tid2eid) == nullptr));
  BOOST_TEST((model->layer_tensor(4, TensorRole::attn_kv) == nullptr));
  const ds4::TensorInfo& norm = *model->global_tensor(TensorRole::output_norm);
  BOOST_TEST(model->bytes(norm).size() == 64U * 4U);
  BOOST_TEST(model->fingerprint().size() == 64U);
}

BOOST_AUTO_TEST_CASE(pointers_and_spans_survive_a_move) {
  auto model = ds4::ModelFile::open(folder / "m.gguf");
  BOOST_TEST_REQUIRE(model.ok());
  const ds4::TensorInfo* before = model->layer_tensor(1, TensorRole::attn_kv);
  const std::byte* data = model->bytes(*before).data();
  const ds4::ModelFile moved = *std::move(model);
  BOOST_TEST((moved.layer_tensor(1, TensorRole::attn_kv) == before));
  BOOST_TEST((moved.bytes(*before).data() == data));
}

BOOST_AUTO_TEST_CASE(a_missing_tensor_is_named_with_its_shape) {
  check_refused("blk.1.attn_kv.weight", kDrop,
                "m.gguf: tensor blk.1.attn_kv.weight [64, 32] is missing");
  check_refused("output.weight", kDrop, "m.gguf: tensor output.weight [64, 512] is missing");
  check_refused("blk.0.ffn_gate_tid2eid.weight", kDrop,
                "m.gguf: tensor blk.0.ffn_gate_tid2eid.weight [2, 512] is missing");
}

BOOST_AUTO_TEST_CASE(the_selection_bias_is_optional) {
  const auto model = reopen([](ds4::TensorInfo& t) { return t.name != "blk.1.exp_probs_b.bias"; });
  BOOST_TEST_REQUIRE(model.ok(), model.error().what);
  BOOST_TEST((model->layer_tensor(1, TensorRole::exp_probs_bias) == nullptr));
  BOOST_TEST((model->layer_tensor(2, TensorRole::exp_probs_bias) != nullptr));
}

BOOST_AUTO_TEST_CASE(wrong_dims_are_told_with_both_shapes) {
  check_refused(
      "blk.3.ffn_down_exps.weight",
      [](ds4::TensorInfo& t) {
        std::swap(t.dims[0], t.dims[1]);
        return true;
      },
      "m.gguf: tensor blk.3.ffn_down_exps.weight: expected [32, 64, 8], file has [64, 32, 8]");
  check_refused(
      "blk.2.attn_norm.weight",
      [](ds4::TensorInfo& t) {
        t.rank = 2;
        t.dims[1] = 2;
        return true;
      },
      "m.gguf: tensor blk.2.attn_norm.weight: expected [64], file has [64, 2]");
}

BOOST_AUTO_TEST_CASE(trailing_dims_of_one_are_accepted) {
  const auto model = reopen([](ds4::TensorInfo& t) {
    if (t.name == "blk.2.attn_norm.weight") t.rank = 3;
    return true;
  });
  BOOST_TEST(model.ok());
}

BOOST_AUTO_TEST_CASE(types_that_a_role_cannot_have_are_told) {
  check_refused(
      "output_norm.weight",
      [](ds4::TensorInfo& t) {
        t.dtype = ds4::Dtype::q8_0;
        return true;
      },
      "m.gguf: tensor output_norm.weight: expected one of F32, F16, BF16, file has Q8_0");
  check_refused(
      "blk.0.ffn_gate_tid2eid.weight",
      [](ds4::TensorInfo& t) {
        t.dtype = ds4::Dtype::f32;
        return true;
      },
      "m.gguf: tensor blk.0.ffn_gate_tid2eid.weight: expected one of I32, file has F32");
}

BOOST_AUTO_TEST_CASE(a_type_without_a_decoder_is_refused_by_name) {
  const auto model = reopen([](ds4::TensorInfo& t) {
    if (t.name == "blk.1.attn_kv.weight") t.dtype = ds4::Dtype::q5_0;
    return true;
  });
  BOOST_TEST_REQUIRE(!model.ok());
  BOOST_TEST((model.error().code == ds4::Errc::unsupported));
  BOOST_TEST(model.error().what.ends_with("file has Q5_0"));
}

BOOST_AUTO_TEST_CASE(gate_and_up_experts_must_share_a_type) {
  check_refused(
      "blk.2.ffn_up_exps.weight",
      [](ds4::TensorInfo& t) {
        t.dtype = ds4::Dtype::mxfp4;
        return true;
      },
      "m.gguf: tensor blk.2.ffn_up_exps.weight: expected Q8_0 as in blk.2.ffn_gate_exps.weight, "
      "file has MXFP4");
}

BOOST_AUTO_TEST_CASE(expert_tables_must_name_existing_experts) {
  BOOST_TEST_REQUIRE(reopen(kKeep).ok());
  for (const std::int32_t id : {8, -1}) {
    std::vector<std::byte> broken = bytes;
    const auto before = ds4::GgufFile::parse(bytes, "x");
    const ds4::TensorInfo& table = *before->find_tensor("blk.0.ffn_gate_tid2eid.weight");
    std::memcpy(broken.data() + table.offset + 7 * 4, &id, 4);
    auto file = ds4::GgufFile::parse(broken, "m.gguf");
    BOOST_TEST_REQUIRE(file.ok());
    const auto model = ds4::ModelFile::from(*std::move(file));
    BOOST_TEST_REQUIRE(!model.ok());
    BOOST_TEST(
        model.error().what.ends_with("entry 7 is " + std::to_string(id) + ", accepted is 0..7"));
  }
}

BOOST_AUTO_TEST_CASE(mtp_blocks_are_counted_and_not_taken_for_main_layers) {
  ds4::SyntheticSpec spec = shape("micro");
  spec.config.naming = ds4::Naming::llama;
  spec.config.mtp_layers = 1;
  const auto model = ds4::ModelFile::open(write(spec, "mtp.gguf"));
  BOOST_TEST_REQUIRE(model.ok(), model.error().what);
  BOOST_TEST(model->config().layers == 4U);
  BOOST_TEST(model->config().mtp_layers == 1U);
  // A window layer with scored routing has 24 tensors, and 4 belong to the prediction itself.
  BOOST_TEST(model->unused_tensors() == 28U);
  BOOST_TEST((model->layer_tensor(4, TensorRole::attn_kv) == nullptr));
}

BOOST_AUTO_TEST_CASE(unknown_tensors_of_unknown_type_do_no_harm) {
  const auto model = reopen([](ds4::TensorInfo&) { return true; });
  BOOST_TEST(model->unused_tensors() == 0U);
}

BOOST_AUTO_TEST_CASE(a_layer_count_that_the_directory_cannot_hold_is_refused) {
  constexpr std::uint32_t kLayers = 1000;
  const auto file = ds4::GgufFile::parse(bytes, "source");
  ds4::GgufHeader header;
  for (const ds4::GgufEntry& entry : file->metadata()) {
    if (entry.key == "deepseek4.block_count") {
      header.add_u32(entry.key, kLayers);
    } else if (entry.key == "deepseek4.attention.compress_ratios") {
      header.add_u32_array(entry.key, std::vector<std::uint32_t>(kLayers, 0));
    } else if (entry.key == "deepseek4.swiglu_clamp_exp") {
      header.add_f32(entry.key, 10);
    } else {
      header.add_copy(entry);
    }
  }
  // One tensor per layer short of the 23 that an uncompressed layer with a router must have.
  const std::uint64_t one[] = {1};
  for (std::uint32_t i = 0; i < 22 * kLayers; ++i) {
    BOOST_TEST_REQUIRE(header.add_tensor("t" + std::to_string(i), one, ds4::Dtype::f32).ok());
  }
  std::vector<std::byte> head = header.encode();
  head.resize(head.size() + header.data_bytes());
  const auto model = ds4::ModelFile::from(*ds4::GgufFile::parse(head, "m.gguf"));
  BOOST_TEST_REQUIRE(!model.ok());
  BOOST_TEST(model.error().what ==
             "m.gguf: 1000 layers are claimed, each of at least 23 tensors, the file holds 22000 "
             "tensors");
}

BOOST_AUTO_TEST_SUITE_END()
