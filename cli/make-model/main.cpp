#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <string>

#include "format/gguf_reader.hpp"
#include "model/synthetic.hpp"

namespace {

constexpr int kOk = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;

struct Options {
  std::string out;
  std::string shape = "tiny";
  std::uint64_t seed = 1;
  std::string naming = "ds4";
  std::string types;
  std::optional<std::uint32_t> layers;
  std::optional<std::uint32_t> top_k;
  std::optional<std::uint32_t> window;
  std::optional<std::uint32_t> vocab;
  std::optional<std::uint32_t> experts;
  bool has_mtp = false;
  bool is_sparse = false;
  bool overwrites = false;
};

/// Whether OUT may be written: a file that this program made is replaced, anything else is
/// somebody's.
bool may_write(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return true;
  const auto file = ds4::GgufFile::open(path);
  if (!file) return false;
  const auto name = file->string("general.name");
  return name.ok() && name->starts_with("synthetic ");
}

void declare(CLI::App& app, Options& options) {
  std::string shapes;
  for (const std::string& shape : ds4::synthetic_shapes()) {
    shapes.append(shapes.empty() ? "" : ", ").append(shape);
  }
  const CLI::Range count(std::uint32_t{1},
                         static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max()));
  app.add_option("OUT", options.out, "the GGUF file to write")->required();
  app.add_option("--shape", options.shape, "one of " + shapes)->capture_default_str();
  app.add_option("--seed", options.seed, "equal seeds give equal files")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()))
      ->capture_default_str();
  app.add_option("--naming", options.naming, "metadata conventions")
      ->check(CLI::IsMember({"ds4", "llama"}))
      ->capture_default_str();
  app.add_option("--types", options.types,
                 "element types by group, for example "
                 "experts=iq2_xxs/q2_k,attn=q8_0,embd=f16,output=q8_0,shexp=q8_0,side=f16 or "
                 "all=f32");
  app.add_option("--layers", options.layers, "main layers")->check(count);
  app.add_option("--topk", options.top_k, "compressed rows the indexer keeps")->check(count);
  app.add_option("--window", options.window, "raw rows a token sees")->check(count);
  app.add_option("--vocab", options.vocab, "tokens in the vocabulary")->check(count);
  app.add_option("--experts", options.experts, "routed experts")->check(count);
  app.add_flag("--mtp", options.has_mtp, "add a next-token-prediction block (naming llama only)");
  app.add_flag("--sparse", options.is_sparse, "leave routed experts as file holes");
  app.add_flag("--overwrite", options.overwrites, "replace OUT even if it is no synthetic model");
}

ds4::Result<ds4::SyntheticSpec> make_spec(const Options& options) {
  DS4_TRY(ds4::SyntheticSpec spec, ds4::SyntheticSpec::make(options.shape));
  DS4_TRY(spec.types, ds4::TypeRecipe::parse(options.types, spec.types));
  if (options.layers) spec.set_layers(*options.layers);
  if (options.top_k) spec.config.index_top_k = *options.top_k;
  if (options.window) spec.config.window = *options.window;
  if (options.vocab) spec.config.vocab = *options.vocab;
  if (options.experts) spec.config.experts = *options.experts;
  spec.config.naming = options.naming == "llama" ? ds4::Naming::llama : ds4::Naming::ds4;
  spec.config.mtp_layers = options.has_mtp ? 1 : 0;
  spec.seed = options.seed;
  spec.is_sparse = options.is_sparse;
  return spec;
}

int report(const ds4::Error& error) {
  std::cerr << "ds4-make-model: " << error.what << '\n';
  return error.code == ds4::Errc::io || error.code == ds4::Errc::out_of_memory ? kFailure : kUsage;
}

int run(int argc, char** argv) {
  CLI::App app("Writes a DeepSeek V4 model of random weights as GGUF.", "ds4-make-model");
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kOk;
  } catch (const CLI::ParseError& error) {
    std::cerr << "ds4-make-model: " << error.what() << '\n';
    return kUsage;
  }
  const auto spec = make_spec(options);
  if (!spec) return report(spec.error());
  if (!options.overwrites && !may_write(options.out)) {
    std::cerr << "ds4-make-model: " << options.out
              << " exists and is no synthetic model; name another file or give --overwrite\n";
    return kUsage;
  }
  if (const auto done = ds4::write_synthetic_model(options.out, *spec); !done) {
    return report(done.error());
  }
  std::error_code ignored;
  std::cerr << options.out << ": " << spec->config.name << ", "
            << std::filesystem::file_size(options.out, ignored) << " bytes\n";
  return kOk;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ds4-make-model: " << error.what() << '\n';
    return kFailure;
  }
}
