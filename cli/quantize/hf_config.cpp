#include "quantize/hf_config.hpp"

#include <charconv>
#include <limits>
#include <string>

#include "model/config_keys.hpp"
#include "quantize/checkpoint.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4::quantize {
namespace {

using Kind = JsonValue::Kind;

// Typed access to the members of one JSON object; an error names file and key.
class Members {
 public:
  Members(const JsonValue& object, std::string_view file, std::string_view prefix)
      : object_(object), file_(file), prefix_(prefix) {}

  // Null when absent or null: the official file writes null for what does not apply.
  [[nodiscard]] const JsonValue* find(std::string_view key) const {
    const JsonValue* value = object_.find(key);
    return value == nullptr || value->is(Kind::null) ? nullptr : value;
  }

  [[nodiscard]] Error broken(std::string_view key, std::string_view accepted) const {
    const JsonValue* value = object_.find(key);
    const std::string found = value == nullptr ? "is missing" : "is " + json_text(*value);
    return fail(Errc::bad_file, file_, ": '", prefix_, key, "' ", found, ", accepted is ",
                accepted);
  }

  template <class T>
  Result<void> number(std::string_view key, T& out) const {
    const JsonValue* value = find(key);
    if (value != nullptr && value->is(Kind::number) && parse(value->text, out)) return {};
    return broken(key, kAccepted<T>);
  }

  Result<void> counts(std::string_view key, std::vector<std::uint32_t>& out) const {
    const JsonValue* value = find(key);
    if (value == nullptr || !value->is(Kind::array)) return broken(key, "an array of counts");
    out.clear();
    for (const JsonValue& item : value->items) {
      std::uint32_t count = 0;
      if (!item.is(Kind::number) || !parse(item.text, count)) {
        return broken(key, "an array of counts");
      }
      out.push_back(count);
    }
    return {};
  }

  // A key that must have one value if it is there at all.
  Result<void> only(std::string_view key, Kind kind, std::string_view text) const {
    const JsonValue* value = find(key);
    if (value == nullptr) return {};
    if (value->is(kind) && (kind == Kind::boolean ? value->boolean : value->text == text))
      return {};
    Error error = broken(key, text);
    error.code = Errc::unsupported;
    return error;
  }

 private:
  template <class T>
  static constexpr std::string_view kAccepted =
      std::numeric_limits<T>::is_integer ? "a count" : "a number";

  template <class T>
  static bool parse(const std::string& text, T& out) {
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, out);
    return code == std::errc{} && stop == end;
  }

  const JsonValue& object_;
  std::string_view file_;
  std::string_view prefix_;
};

Result<void> check_kind(const Members& root) {
  DS4_CHECK(root.only("model_type", Kind::string, "deepseek_v4"));
  DS4_CHECK(root.only("hidden_act", Kind::string, "silu"));
  DS4_CHECK(root.only("scoring_func", Kind::string, "sqrtsoftplus"));
  DS4_CHECK(root.only("norm_topk_prob", Kind::boolean, "true"));
  DS4_CHECK(root.only("num_key_value_heads", Kind::number, "1"));
  DS4_CHECK(root.only("n_shared_experts", Kind::number, "1"));
  if (root.find("model_type") == nullptr) return root.broken("model_type", "\"deepseek_v4\"");
  return {};
}

Result<void> read_shape(const Members& root, ModelConfig& out) {
  DS4_CHECK(root.number("num_hidden_layers", out.layers));
  DS4_CHECK(root.number("hidden_size", out.width));
  DS4_CHECK(root.number("vocab_size", out.vocab));
  DS4_CHECK(root.number("num_attention_heads", out.heads));
  DS4_CHECK(root.number("head_dim", out.head_dim));
  DS4_CHECK(root.number("qk_rope_head_dim", out.rot_dim));
  DS4_CHECK(root.number("q_lora_rank", out.q_rank));
  DS4_CHECK(root.number("o_groups", out.output_groups));
  DS4_CHECK(root.number("o_lora_rank", out.output_rank));
  DS4_CHECK(root.number("sliding_window", out.window));
  DS4_CHECK(root.number("index_n_heads", out.index_heads));
  DS4_CHECK(root.number("index_head_dim", out.index_dim));
  DS4_CHECK(root.number("index_topk", out.index_top_k));
  DS4_CHECK(root.number("n_routed_experts", out.experts));
  DS4_CHECK(root.number("num_experts_per_tok", out.experts_used));
  DS4_CHECK(root.number("moe_intermediate_size", out.expert_width));
  DS4_CHECK(root.number("num_hash_layers", out.hash_layers));
  DS4_CHECK(root.number("routed_scaling_factor", out.route_scale));
  DS4_CHECK(root.number("hc_mult", out.streams));
  DS4_CHECK(root.number("hc_sinkhorn_iters", out.sinkhorn_iterations));
  DS4_CHECK(root.number("hc_eps", out.hc_epsilon));
  DS4_CHECK(root.number("rms_norm_eps", out.rms_epsilon));
  if (root.find("max_position_embeddings") != nullptr) {
    DS4_CHECK(root.number("max_position_embeddings", out.context_length));
  }
  return {};
}

// One ratio per main layer; entries behind them belong to blocks of next-token prediction.
Result<void> read_ratios(const Members& root, ModelConfig& out) {
  DS4_CHECK(root.counts("compress_ratios", out.ratios));
  if (out.ratios.size() < out.layers) {
    return root.broken("compress_ratios",
                       "one ratio per layer, at least " + std::to_string(out.layers));
  }
  out.ratios.resize(out.layers);
  return {};
}

Result<void> read_rope(const Members& root, std::string_view file, ModelConfig& out) {
  DS4_CHECK(root.number("rope_theta", out.rope_base));
  DS4_CHECK(root.number("compress_rope_theta", out.compress_rope_base));
  const JsonValue* scaling = root.find("rope_scaling");
  if (scaling == nullptr || !scaling->is(Kind::object)) {
    return root.broken("rope_scaling", "an object with type yarn");
  }
  const Members yarn(*scaling, file, "rope_scaling.");
  DS4_CHECK(yarn.only("type", Kind::string, "yarn"));
  DS4_CHECK(yarn.only("rope_type", Kind::string, "yarn"));
  DS4_CHECK(yarn.number("factor", out.yarn_factor));
  DS4_CHECK(yarn.number("beta_fast", out.yarn_beta_fast));
  DS4_CHECK(yarn.number("beta_slow", out.yarn_beta_slow));
  return yarn.number("original_max_position_embeddings", out.yarn_original_context);
}

}  // namespace

Result<HfConfig> parse_hf_config(std::string_view text, std::string_view file) {
  auto json = parse_json(text);
  if (!json) return Error{Errc::bad_file, json.error().what}.in(file);
  if (!json->is(Kind::object)) return fail(Errc::bad_file, file, ": is not a JSON object");
  const Members root(*json, file, "");
  DS4_CHECK(check_kind(root));

  HfConfig out;
  out.model.architecture = keys::kArchitectureName;
  out.model.naming = Naming::ds4;
  DS4_CHECK(read_shape(root, out.model));
  if (out.model.layers > json->items.size() + text.size()) {
    return root.broken("num_hidden_layers", "at most the number of compress_ratios");
  }
  DS4_CHECK(read_ratios(root, out.model));
  DS4_CHECK(read_rope(root, file, out.model));
  float limit = 0;
  DS4_CHECK(root.number("swiglu_limit", limit));
  out.model.swiglu_limit.assign(out.model.layers, limit);
  out.model.shared_swiglu_limit = out.model.swiglu_limit;
  if (root.find("bos_token_id") != nullptr) DS4_CHECK(root.number("bos_token_id", out.bos));
  if (root.find("eos_token_id") != nullptr) DS4_CHECK(root.number("eos_token_id", out.eos));
  if (root.find("num_nextn_predict_layers") != nullptr) {
    DS4_CHECK(root.number("num_nextn_predict_layers", out.mtp_blocks));
  }
  DS4_CHECK(out.model.validate(file));
  return out;
}

Result<HfConfig> read_hf_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  DS4_TRY(const std::string text, read_text(path));
  return parse_hf_config(text, path.string());
}

}  // namespace ds4::quantize
