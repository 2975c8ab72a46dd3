#include "validate/layer_plan.hpp"

#include <algorithm>
#include <string>

#include "common/first_answers.hpp"
#include "common/progress.hpp"
#include "common/runtime.hpp"
#include "model/tensors.hpp"

namespace ds4::validate {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return cli::decimals(static_cast<double>(bytes) / (1 << 20), 1) + " MiB";
}

}  // namespace

std::uint64_t layer_weight_bytes(const ModelFile& model, std::uint32_t layer,
                                 std::uint32_t tokens) {
  std::uint64_t bytes = 0;
  const ModelConfig& config = model.config();
  for (const TensorRole role : layer_roles(config.ratio(layer), config.is_hash_routed(layer))) {
    const TensorInfo* tensor = model.layer_tensor(layer, role);
    if (tensor == nullptr) continue;
    // One expert stands in for all before the reference has chosen.
    const std::uint64_t chosen =
        std::min<std::uint64_t>(config.stored(), std::uint64_t{tokens} * config.experts_used + 1);
    bytes += holds_experts(role) ? tensor->bytes / config.stored() * chosen : tensor->bytes;
  }
  return bytes;
}

Result<void> check_layer_memory(const ModelFile& model, const Settings& settings,
                                std::uint32_t layer) {
  const std::uint64_t bytes = 2 * layer_weight_bytes(model, layer, settings.tokens);
  if (bytes <= settings.memory_bytes) return {};
  return fail(Errc::out_of_memory, "takes up to ", bytes, " bytes on both sides, of ",
              settings.memory_bytes, "; lower --tokens");
}

cli::ExitCode print_model_plan(const cli::Console& console, const Settings& settings) {
  const auto model = cli::open_model(settings.runtime.model, ModelChecks::header);
  if (!model) {
    console.error(model.error().what);
    return cli::kFailure;
  }
  const ModelConfig& config = model->config();
  std::uint32_t largest = 0;
  std::uint64_t most = 0;
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const std::uint64_t bytes = layer_weight_bytes(*model, layer, settings.tokens);
    if (bytes <= most) continue;
    most = bytes;
    largest = layer;
  }
  const std::string text =
      "file:               " + mebibytes(model->gguf().file_bytes()) + ", " +
      std::to_string(config.layers) + " layers\n" +
      "largest layer:      " + std::to_string(largest) + ", with " +
      std::to_string(settings.tokens) + " tokens\n" + "weights, each side: " + mebibytes(most) +
      "\n" + "weights, both:      " + mebibytes(2 * most) + " of " +
      mebibytes(settings.memory_bytes) + "\n" + "Activations and rows of " +
      std::to_string(settings.tokens) + " tokens come on top. No tensor was read.\n";
  if (const auto printed = cli::print(console, text); printed != cli::kSuccess) return printed;
  if (const Result<void> fits = check_layer_memory(*model, settings, largest); !fits) {
    const Error error = fits.error().in("layer ", largest);
    console.error(error.what);
    return cli::exit_code(error.code);
  }
  return cli::kSuccess;
}

}  // namespace ds4::validate
