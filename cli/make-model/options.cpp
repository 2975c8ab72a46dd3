#include "make-model/options.hpp"

#include <limits>

namespace ds4::make_model {
namespace {

/// CLI11 reads 010 as octal and 0x10 as hexadecimal; nobody who writes them here means that.
std::string not_decimal(const std::string& text) {
  const bool has_digits_only = text.find_first_not_of("0123456789") == std::string::npos;
  if (has_digits_only && (text == "0" || !text.starts_with('0'))) return {};
  return "expected a decimal integer, got '" + text + "'";
}

}  // namespace

void declare(CLI::App& app, Options& options) {
  std::string shapes;
  for (const std::string& shape : synthetic_shapes()) {
    shapes.append(shapes.empty() ? "" : ", ").append(shape);
  }
  const CLI::Validator decimal(not_decimal, "");
  const auto most = static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max());
  const CLI::Validator count = decimal & CLI::Range(std::uint32_t{1}, most);
  app.add_option("OUT", options.out, "the GGUF file to write");
  app.add_option("--shape", options.shape, "one of " + shapes)->capture_default_str();
  app.add_option("--seed", options.seed, "equal seeds give equal files")
      ->check(decimal & CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()))
      ->capture_default_str();
  app.add_option("--naming", options.naming, "metadata conventions")
      ->check(CLI::IsMember({"ds4", "llama"}))
      ->capture_default_str();
  app.add_option("--types", options.types,
                 "element types by group, for example "
                 "experts=iq2_xxs/q2_k,attn=q8_0,embd=f16,output=q8_0,shexp=q8_0,side=f16 or "
                 "all=f32");
  auto* layers =
      app.add_option("--layers", options.layers, "main layers: the first N of the shape's pattern")
          ->check(decimal & CLI::Range(std::uint32_t{1}, std::uint32_t{1024}));
  app.add_option("--ratios", options.ratios,
                 "the kind of each layer: 0 (window), 4 (sparse) or 128 (fully compressed), as in "
                 "0,4,128")
      ->delimiter(',')
      ->check(CLI::IsMember({0U, 4U, 128U}))
      ->excludes(layers);
  app.add_option("--hash-layers", options.hash_layers, "layers that route by token id")
      ->check(decimal & CLI::Range(std::uint32_t{0}, std::uint32_t{1024}));
  app.add_option("--topk", options.top_k, "compressed rows the indexer keeps")->check(count);
  app.add_option("--window", options.window, "raw rows a token sees")->check(count);
  app.add_option("--vocab", options.vocab, "tokens in the vocabulary")->check(count);
  app.add_option("--experts", options.experts, "routed experts")->check(count);
  app.add_option("--stored-experts", options.stored_experts,
                 "experts that are stored and stand for all, by id modulo their number (ds4 only)")
      ->check(count);
  app.add_flag("--mtp", options.has_mtp, "add a next-token-prediction block (naming llama only)");
  app.add_flag("--sparse{experts}", options.holes,
               "leave routed experts as file holes, which read as zeros; --sparse=all: every "
               "tensor, for looking at the layout")
      ->check(CLI::IsMember({"experts", "all"}));
  app.add_option("-t,--threads", options.threads, "threads that make weights (default: all)")
      ->check(decimal & CLI::Range(std::uint32_t{1}, std::uint32_t{32}));
  app.add_flag("--overwrite", options.overwrites, "replace OUT even if it is no synthetic model");
  app.add_flag("--dry-run", options.only_sizes, "say how large the file would be, write nothing");
}

Result<SyntheticSpec> make_spec(const Options& options) {
  DS4_TRY(SyntheticSpec spec, SyntheticSpec::make(options.shape));
  DS4_TRY(spec.types, TypeRecipe::parse(options.types, spec.types));
  ModelConfig& config = spec.config;
  if (options.layers) spec.set_layers(*options.layers);
  if (!options.ratios.empty()) spec.set_ratios(options.ratios);
  if (options.hash_layers) config.hash_layers = *options.hash_layers;
  if (options.top_k) config.index_top_k = *options.top_k;
  if (options.window) config.window = *options.window;
  if (options.vocab) config.vocab = *options.vocab;
  if (options.experts) config.experts = *options.experts;
  if (options.stored_experts) config.stored_experts = *options.stored_experts;
  config.naming = options.naming == "llama" ? Naming::llama : Naming::ds4;
  config.mtp_layers = options.has_mtp ? 1 : 0;
  spec.seed = options.seed;
  if (options.holes == "experts") spec.holes = Holes::experts;
  if (options.holes == "all") spec.holes = Holes::all;
  return spec;
}

}  // namespace ds4::make_model
