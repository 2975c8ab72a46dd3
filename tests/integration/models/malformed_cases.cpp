#include "tests/integration/models/malformed_cases.hpp"

#include <cstring>
#include <limits>

#include "tests/unit/format/gguf_bytes.hpp"

namespace ds4::test {
namespace {

constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;
constexpr std::uint32_t kString = 8, kArray = 9, kQ5Zero = 6, kQ8Zero = 8, kQ2K = 10, kMxfp4 = 39;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string key(std::string_view name) {
  return "deepseek4." + std::string(name);
}

void put(Bytes& bytes, std::size_t at, std::uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::size_t find(const Bytes& bytes, std::string_view text) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return all.find(text);
}

/// A case that sets one count.
Malformed count(std::string name, std::string_view setting, std::uint32_t value,
                std::string expected) {
  return {std::move(name), std::move(expected),
          [k = key(setting), value](RawModel& m) { m.set_u32(k, value); }};
}

Malformed real(std::string name, std::string_view setting, float value, std::string expected) {
  return {std::move(name), std::move(expected),
          [k = key(setting), value](RawModel& m) { m.set_f32(k, value); }};
}

}  // namespace

std::vector<Malformed> broken_bytes() {
  const auto nothing = [](RawModel&) {};
  return {
      {"empty file", "the file has 0 bytes", nothing, [](Bytes& b) { b.clear(); }},
      {"cut inside the head", "the file has 17 bytes, a GGUF head has 24", nothing,
       [](Bytes& b) { b.resize(17); }},
      {"cut inside the metadata", "array string needs", nothing,
       [](Bytes& b) { b.resize(find(b, "tokenizer.ggml.tokens") + 5000); }},
      {"cut inside the directory", "needs", nothing,
       [](Bytes& b) { b.resize(find(b, "output.weight") + 20); }},
      {"cut behind the directory", "tensor data would begin at", nothing,
       [](Bytes& b) { b.resize(find(b, "output.weight") + 13 + 4 + 16 + 4 + 8); }},
      {"last byte missing", "tensor output.weight needs 34816 bytes at data offset", nothing,
       [](Bytes& b) { b.pop_back(); }},
      {"tensor count of 2^63", "tensor count is 9223372036854775808", nothing,
       [](Bytes& b) { put(b, 8, kHuge); }},
      {"metadata count of 2^63", "metadata count is 9223372036854775808", nothing,
       [](Bytes& b) { put(b, 16, kHuge); }},
      {"another kind of file", "not a GGUF file", nothing,
       [](Bytes& b) { std::memcpy(b.data(), "PK\3\4", 4); }},
      {"big-endian file", "byte-swapped", nothing,
       [](Bytes& b) { std::memcpy(b.data(), "FUGG", 4); }},
      {"a version to come", "GGUF version 99 is not supported",
       [](RawModel& m) { m.version = 99; }},
  };
}

std::vector<Malformed> broken_metadata() {
  return {
      {"key of 2^63 bytes", "metadata key has length 9223372036854775808", [](RawModel&) {},
       [](Bytes& b) { put(b, 24, kHuge); }},
      {"string of 2^63 bytes", "value of key 'general.name' needs 9223372036854775808 bytes",
       [](RawModel& m) { m.set_raw("general.name", kString, GgufBytes().u64(kHuge).bytes()); }},
      {"array of 2^63 strings", "key 'tokenizer.ggml.tokens' claims 9223372036854775808 elements",
       [](RawModel& m) {
         m.set_raw("tokenizer.ggml.tokens", kArray, GgufBytes().u32(kString).u64(kHuge).bytes());
       }},
      {"arrays in arrays", "expected an array of strings, found an array of array",
       [](RawModel& m) {
         m.set_raw("tokenizer.ggml.tokens", kArray,
                   GgufBytes().u32(kArray).u64(1).u32(kString).u64(1).text("a").bytes());
       }},
      {"arrays twenty deep", "nests arrays deeper than 8",
       [](RawModel& m) {
         GgufBytes deep;
         for (int i = 0; i < 20; ++i) deep.u32(kArray).u64(1);
         m.set_raw("x.deep", kArray, deep.u32(kString).u64(0).bytes());
       }},
      {"a key twice", "metadata key 'general.name' appears twice",
       [](RawModel& m) { m.entries.push_back(m.entry("general.name")); }},
      {"a value of no type", "has unknown value type 200",
       [](RawModel& m) { m.set_raw("x.y", 200, GgufBytes().u32(1).bytes()); }},
      {"alignment 24", "general.alignment is 24, a power of two",
       [](RawModel& m) { m.set_u32("general.alignment", 24); }},
      {"alignment as text", "general.alignment must be u32, found string",
       [](RawModel& m) { m.set_string("general.alignment", "32"); }},
      {"terminal codes in a key", "metadata key 'x?[31m?y' appears twice",
       [](RawModel& m) {
         m.set_u32("x\x1b[31m\ny", 1);
         m.entries.push_back(m.entries.back());
       }},
  };
}

std::vector<Malformed> broken_settings() {
  std::vector<Malformed> out = {
      {"another architecture", "architecture 'llama' is not supported, 'deepseek4' is",
       [](RawModel& m) { m.set_string("general.architecture", "llama"); }},
      {"no architecture", "metadata key 'general.architecture' is missing",
       [](RawModel& m) { m.remove_entry("general.architecture"); }},
      {"no layer count", "metadata key 'deepseek4.block_count' is missing",
       [](RawModel& m) { m.remove_entry("deepseek4.block_count"); }},
      {"width as text", "key 'deepseek4.embedding_length': expected an unsigned integer",
       [](RawModel& m) { m.set_string("deepseek4.embedding_length", "64"); }},
      {"width beyond 32 bits", "found u64 4294967296",
       [](RawModel& m) { m.set_u64("deepseek4.embedding_length", std::uint64_t{1} << 32); }},
      {"keys and values of different width", "the key length 32",
       [](RawModel& m) { m.set_u32("deepseek4.attention.value_length", 16); }},
      {"a ratio that no layer has", "'deepseek4.attention.compress_ratios' is 3, accepted is 0, 4",
       [](RawModel& m) {
         m.set_u32s("deepseek4.attention.compress_ratios", {0, 3, 128, 4});
       }},
      {"too few ratios", "is 2 values, accepted is one per layer, at least 4",
       [](RawModel& m) {
         m.set_u32s("deepseek4.attention.compress_ratios", {0, 4});
       }},
      {"a negative ratio", "found i32 -4 at index 1",
       [](RawModel& m) {
         m.set_i32s("deepseek4.attention.compress_ratios", {0, -4, 128, 4});
       }},
      {"ratios of the wrong layers", "tensor blk.0.attn_compressor_ape.weight [64, 4] is missing",
       [](RawModel& m) {
         m.set_u32s("deepseek4.attention.compress_ratios", {4, 4, 128, 4});
       }},
      {"NaN among the limits", "expected a finite number in each element, found f32 nan",
       [](RawModel& m) {
         m.set_f32s("deepseek4.swiglu_clamp_exp", {10, kNan, 10, 10});
       }},
      {"too few limits", "'deepseek4.swiglu_clamp_exp' is 1 values, accepted is one per layer",
       [](RawModel& m) { m.set_f32s("deepseek4.swiglu_clamp_exp", {10}); }},
      {"weights that are not normalised", "'deepseek4.expert_weights_norm' is false",
       [](RawModel& m) { m.set_bool("deepseek4.expert_weights_norm", false); }},
      {"a number where a bool belongs", "expected a bool, found u32",
       [](RawModel& m) { m.set_u32("deepseek4.expert_weights_norm", 1); }},
      {"a trained context of 0", "original_context_length' is 0, accepted is 1..",
       [](RawModel& m) { m.set_u64("deepseek4.rope.scaling.original_context_length", 0); }},
  };
  out.push_back(count("more layers than tensors", "block_count", 4'000'000'000,
                      "'deepseek4.block_count' is 4000000000, accepted is 1.."));
  out.push_back(count("one layer too many", "block_count", 5, "at least 5"));
  out.push_back(count("no heads", "attention.head_count", 0,
                      "'deepseek4.attention.head_count' is 0, accepted is 1.."));
  out.push_back(count("two kv heads", "attention.head_count_kv", 2, "is 2, accepted is 1"));
  out.push_back(count("odd rotary width", "rope.dimension_count", 7, "accepted is an even number"));
  out.push_back(count("heads beyond 32 bits", "attention.head_count", 1U << 30,
                      "times key 'deepseek4.attention.key_length' = 32 is 34359738368"));
  out.push_back(count("indexer width 48", "attention.indexer.key_length", 48,
                      "is 48, accepted is a power of two"));
  out.push_back(count("groups that do not divide", "attention.output_group_count", 3,
                      "is 3, accepted is a divisor of the 4 heads"));
  out.push_back(count("more experts used than there are", "expert_used_count", 9,
                      "'deepseek4.expert_used_count' is 9, accepted is 1..8"));
  out.push_back(count("expert groups", "expert_group_count", 2, "there are no expert groups"));
  out.push_back(count("another router", "expert_gating_func", 2, "is 2, accepted is 4"));
  out.push_back(count("two shared experts", "expert_shared_count", 2, "is 2, accepted is 1"));
  out.push_back(count("more hash layers than layers", "hash_layer_count", 5, "accepted is 0..4"));
  out.push_back(count("endless sinkhorn", "hyper_connection.sinkhorn_iterations", 1'000'000,
                      "is 1000000, accepted is 1..1000"));
  out.push_back(count("seventeen streams", "hyper_connection.count", 17, "accepted is 1..16"));
  out.push_back(real("NaN epsilon", "attention.layer_norm_rms_epsilon", kNan,
                     "expected a finite number, found f32 nan"));
  out.push_back(real("infinite rope base", "rope.freq_base", kInfinity, "found f32 inf"));
  out.push_back(real("negative route scale", "expert_weights_scale", -1,
                     "is -1, accepted is a finite number > 0"));
  out.push_back(real("betas in the wrong order", "rope.scaling.yarn_beta_fast", 0.5F,
                     "is 0.5, accepted is a finite number > 1"));
  out.push_back({"more stored experts than experts",
                 "'ds4.stored_expert_count' is 9, accepted is 1..8",
                 [](RawModel& m) { m.set_u32("ds4.stored_expert_count", 9); }});
  out.push_back({"stored experts that are not there",
                 "tensor blk.0.ffn_gate_exps.weight: expected [64, 32, 4], file has [64, 32, 8]",
                 [](RawModel& m) { m.set_u32("ds4.stored_expert_count", 4); }});
  return out;
}

std::vector<Malformed> broken_tensors() {
  return {
      {"a tensor missing", "tensor blk.2.attn_kv.weight [64, 32] is missing",
       [](RawModel& m) { m.remove_tensor("blk.2.attn_kv.weight"); }},
      {"a shape the other way round", "expected [64, 32], file has [32, 64]",
       [](RawModel& m) {
         m.tensor("blk.2.attn_kv.weight").dims = {32, 64};
       }},
      {"a dimension of 0", "tensor output.weight has dimension 1 of 0",
       [](RawModel& m) {
         m.tensor("output.weight").dims = {64, 0};
       }},
      {"five dimensions", "tensor output.weight has 5 dimensions",
       [](RawModel& m) {
         m.tensor("output.weight").dims = {64, 512, 1, 1, 1};
       }},
      {"2^126 elements", "tensor output.weight has too many elements",
       [](RawModel& m) {
         m.tensor("output.weight").dims = {kHuge, kHuge};
       }},
      {"2^63 bytes", "tensor output_norm.weight is larger than 64 bits can say",
       [](RawModel& m) {
         m.tensor("output_norm.weight").dims = {kHuge / 4, 2};
       }},
      {"tensors in one place", "overlaps tensor",
       [](RawModel& m) { m.tensor("output.weight").offset = 32; }},
      {"a tensor twice", "tensor output_norm.weight appears twice",
       [](RawModel& m) { m.tensors.push_back(m.tensor("output_norm.weight")); }},
      {"an offset between multiples", "has offset 1, not a multiple of the alignment 32",
       [](RawModel& m) { m.tensor("token_embd.weight").offset = 1; }},
      {"an offset of 2^63", "at data offset 9223372036854775808, the file has",
       [](RawModel& m) { m.tensor("output.weight").offset = kHuge; }},
      {"a norm in blocks", "expected one of F32, F16, BF16, file has Q8_0",
       [](RawModel& m) { m.tensor("output_norm.weight").type = kQ8Zero; }},
      {"a type without a decoder", "tensor blk.1.attn_kv.weight: expected one of",
       [](RawModel& m) { m.tensor("blk.1.attn_kv.weight").type = kQ5Zero; }},
      {"a type of no name", "file has type 999",
       [](RawModel& m) { m.tensor("blk.1.attn_q_a.weight").type = 999; }},
      {"gate and up of two types", "expected Q8_0 as in blk.1.ffn_gate_exps.weight, file has MXFP4",
       [](RawModel& m) { m.tensor("blk.1.ffn_up_exps.weight").type = kMxfp4; }},
      {"rows of broken blocks", "a row of 64 elements does not divide into Q2_K blocks of 256",
       [](RawModel& m) { m.tensor("blk.1.ffn_gate_exps.weight").type = kQ2K; }},
      {"an expert that is not there", "entry 3 is 8, accepted is 0..7",
       [](RawModel& m) {
         const std::int32_t id = 8;
         std::memcpy(m.tensor("blk.0.ffn_gate_tid2eid.weight").data.data() + 12, &id, 4);
       }},
      {"an expert below 0", "entry 0 is -1, accepted is 0..7",
       [](RawModel& m) {
         const std::int32_t id = -1;
         std::memcpy(m.tensor("blk.0.ffn_gate_tid2eid.weight").data.data(), &id, 4);
       }},
      {"a name of 2000 letters", "tensor name has length 2000, at most 1023",
       [](RawModel& m) { m.tensor("output.weight").name = std::string(2000, 'n'); }},
      {"a NUL in a name", "tensor name contains a NUL byte",
       [](RawModel& m) { m.tensor("output.weight").name = std::string("output\0weight", 13); }},
      {"no name", "tensor name is empty", [](RawModel& m) { m.tensor("output.weight").name = ""; }},
  };
}

std::vector<Malformed> broken_vocabularies() {
  return {
      {"no tokens", "metadata key 'tokenizer.ggml.tokens' is missing",
       [](RawModel& m) { m.remove_entry("tokenizer.ggml.tokens"); }},
      {"more tokens than rows", "'tokenizer.ggml.tokens' is 512 tokens, accepted is at most",
       [](RawModel& m) { m.set_u32("deepseek4.vocab_size", 511); }},
      {"types of other tokens", "tokenizer.ggml.token_type: expected 512 entries",
       [](RawModel& m) {
         m.set_i32s("tokenizer.ggml.token_type", {1, 1, 1});
       }},
      {"a token of no type", "tokenizer.ggml.token_type[511]: expected 1 to 6, found 9",
       [](RawModel& m) {
         std::vector<std::int32_t> types(512, 1);
         types.back() = 9;
         m.set_i32s("tokenizer.ggml.token_type", types);
       }},
      {"no merges", "metadata key 'tokenizer.ggml.merges' is missing",
       [](RawModel& m) { m.remove_entry("tokenizer.ggml.merges"); }},
      {"a merge of one symbol", "tokenizer.ggml.merges[1]",
       [](RawModel& m) {
         m.set_strings("tokenizer.ggml.merges", {"t h", "th"});
       }},
      {"merges of numbers", "expected an array of strings, found an array of u32",
       [](RawModel& m) {
         m.set_u32s("tokenizer.ggml.merges", {1, 2});
       }},
      {"another kind of tokenizer", "tokenizer.ggml.model: expected 'gpt2' (byte-level BPE)",
       [](RawModel& m) { m.set_string("tokenizer.ggml.model", "llama"); }},
      {"another splitter", "tokenizer.ggml.pre: expected 'joyai-llm' or 'deepseek-v3'",
       [](RawModel& m) { m.set_string("tokenizer.ggml.pre", "qwen2"); }},
      {"a first token that is not there", "expected an id below 512, found 512",
       [](RawModel& m) { m.set_u32("tokenizer.ggml.bos_token_id", 512); }},
      {"a last token that is another", "tokenizer.ggml.eos_token_id: the file says 7, but",
       [](RawModel& m) { m.set_u32("tokenizer.ggml.eos_token_id", 7); }},
  };
}

}  // namespace ds4::test
