#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/thread_team.hpp"
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

/// How the bytes of matrices come about.
enum class SyntheticFill : std::uint8_t {
  values,  ///< values of CounterRng, encoded in the type: reproduced by tests/oracle/counter_rng.py
  blocks   ///< valid blocks drawn at random (synthetic_blocks.hpp): as fast as a copy
};

/// Which tensors of a file are left as holes: they read as zeros and occupy no disk.
enum class Holes : std::uint8_t { none, experts, all };

/// A model of random weights, to be written to a file or made while it is loaded: its shape, types
/// and seed.
///
/// Weights come from CounterRng(seed, tensor name), so another program can make the same values:
/// matrices normal / sqrt(dims[0]), the embedding normal, norms 1 + 0.1 normal, biases, sinks, ape
/// and hyper-connection bases 0.1 normal, hyper-connection scales 0.5, tid2eid distinct ids.
/// Values are made in float and then encoded in the type of the recipe; at the released shapes the
/// matrices are drawn as blocks of about the same mean and deviation instead.
struct SyntheticSpec {
  ModelConfig config;
  TypeRecipe types;
  std::uint64_t seed = 1;
  SyntheticFill fill = SyntheticFill::values;
  Holes holes = Holes::none;
  /// Length that the file is given where it would be up to 64 KiB shorter, by a description of that
  /// length in its metadata: what else a published file says in its head is not known. 0: none.
  std::uint64_t file_bytes = 0;

  /// "micro": for tests of whole runs, every layer kind, about 0.3 million multiply-adds a token.
  /// "tiny": widths are multiples of 256, so every element type fits; ratios 0, 0, 4, 128, 4.
  /// "tiny-window": two window layers only. "tiny-<type>": tiny with experts of that type.
  /// "pocket": as small as a model gets that can be taught to talk, 17 million parameters (20
  /// million with six layers), true widths of heads, window and indexer; encoded values, all Q8_0
  /// and F16. "flash", "pro": the released shapes in the q2 recipe, matrices drawn as blocks.
  /// Errors: invalid_argument listing the shapes.
  static Result<SyntheticSpec> make(std::string_view shape);

  /// Reads the name of a model that is made while it is loaded:
  /// "synthetic:SHAPE[,experts=K][,layers=N][,ratios=R/R/...][,hash=N][,seed=S]".
  /// experts = K: K physical experts a layer stand for all of the shape (ModelConfig::stored());
  /// layers = N: the first N of the shape's pattern; ratios: one of 0, 4, 128 per layer; hash:
  /// layers that route by token id. Errors: invalid_argument naming the key and what it accepts.
  static Result<SyntheticSpec> parse(std::string_view name);

  /// Cuts or repeats the layer pattern to `count` main layers (the first two layers stay first,
  /// then ratios alternate as in the shape).
  void set_layers(std::uint32_t count);
  /// These ratios, one per layer; hash-routed layers are at most that many.
  void set_ratios(std::vector<std::uint32_t> ratios);
};

/// Whether a model is named "synthetic:..." instead of being a file.
[[nodiscard]] bool is_synthetic_name(std::string_view name) noexcept;

/// The names make() knows, for help texts.
[[nodiscard]] std::vector<std::string> synthetic_shapes();

/// Scale and offset of a role's values: value = offset + scale * normal.
struct ValueRule {
  double scale;
  double offset;
};
/// `columns` is dims[0]. Not for tid2eid.
[[nodiscard]] ValueRule value_rule(TensorRole role, std::uint64_t columns) noexcept;

/// What a file of a spec would take.
struct SyntheticSize {
  std::uint64_t tensors = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t disk_bytes = 0;  ///< less than the file where there are holes
};
/// Errors: those of write_synthetic_model() but io.
Result<SyntheticSize> synthetic_size(const SyntheticSpec& spec);

/// Called while a model is written, with the bytes done and those of the whole file less its holes.
using WriteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes the model as GGUF: byte-level vocabulary with learned merges and every special token, all
/// metadata in the naming of spec.config, all tensors. Deterministic: the same spec gives the same
/// bytes on every machine and with any team.
/// Errors: io; invalid_argument when a row does not consist of whole blocks of its type.
Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec,
                                   ThreadTeam& team, const WriteProgress& progress = {});
/// The same on the calling thread.
Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec);

}  // namespace ds4
