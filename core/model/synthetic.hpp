#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/config.hpp"
#include "model/tensors.hpp"

namespace ds4 {

/// The element type of each group of tensors in a file that is made.
struct TypeRecipe {
  Dtype embedding = Dtype::f16;
  Dtype output = Dtype::q8_0;
  Dtype attention = Dtype::q8_0;
  Dtype shared_expert = Dtype::q8_0;
  Dtype expert_gate_up = Dtype::q8_0;
  Dtype expert_down = Dtype::q8_0;
  Dtype side = Dtype::f16;

  /// The type a role is stored in.
  [[nodiscard]] Dtype of(TensorRole role) const noexcept;

  /// Reads "experts=iq2_xxs/q2_k,attn=q8_0,embd=f16,output=q8_0,shexp=q8_0,side=f16" on top of
  /// `base`; `experts=T` sets gate, up and down; "all=f32" sets every group.
  /// Errors: invalid_argument naming the entry.
  static Result<TypeRecipe> parse(std::string_view text, const TypeRecipe& base);
};

/// A model of random weights to be written: its shape, types and seed.
///
/// Weights come from CounterRng(seed, tensor name), so another program can make the same values:
/// matrices normal / sqrt(dims[0]), the embedding normal, norms 1 + 0.1 normal, biases, sinks, ape
/// and hyper-connection bases 0.1 normal, hyper-connection scales 0.5, tid2eid distinct ids.
/// Values are made in float and then encoded in the type of the recipe.
struct SyntheticSpec {
  ModelConfig config;
  TypeRecipe types;
  std::uint64_t seed = 1;
  bool is_sparse = false;  ///< leave routed experts as file holes

  /// "micro": for tests of whole runs, every layer kind, about 0.3 million multiply-adds a token.
  /// "tiny": widths are multiples of 256, so every element type fits; ratios 0, 0, 4, 128, 4.
  /// "tiny-window": two window layers only. "tiny-<type>": tiny with experts of that type.
  /// "flash", "pro": the released shapes.
  /// Errors: invalid_argument listing the shapes.
  static Result<SyntheticSpec> make(std::string_view shape);

  /// Cuts or repeats the layer pattern to `count` main layers (the first two layers stay first,
  /// then ratios alternate as in the shape).
  void set_layers(std::uint32_t count);
};

/// The names make() knows, for help texts.
[[nodiscard]] std::vector<std::string> synthetic_shapes();

/// Scale and offset of a role's values: value = offset + scale * normal.
struct ValueRule {
  double scale;
  double offset;
};
/// `columns` is dims[0]. Not for tid2eid.
[[nodiscard]] ValueRule value_rule(TensorRole role, std::uint64_t columns) noexcept;

/// Writes the model as GGUF: byte-level vocabulary with learned merges and every special token, all
/// metadata in the naming of spec.config, all tensors. Deterministic: the same spec gives the same
/// bytes on every machine.
/// Errors: io; invalid_argument when a row does not consist of whole blocks of its type.
Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec);

}  // namespace ds4
