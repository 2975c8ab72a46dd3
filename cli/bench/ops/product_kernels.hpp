#pragma once

#include <vector>

#include "bench/ops/kernel.hpp"
#include "model/config.hpp"
#include "wrap/device.hpp"

namespace ds4::bench {

/// One product by itself, as an op that every backend has, with its input and output.
struct Product {
  Kernel kernel;
  plugins::Buffer x, y;
};

/// Whether a weight is multiplied with: a matrix, a grouped one, or experts.
[[nodiscard]] bool is_matrix(const ShapedWeight& weight) noexcept;

/// The kernel of one matrix with rows of noise. Of the output projection and of experts it is a
/// grouped product, of experts with `used` random ones a row; the head takes one row.
/// Errors: what the device reports.
Result<Product> product_of(plugins::Device& device, const ShapedWeight& weight,
                           const ModelConfig& config, std::uint32_t rows, const BufferKeys& keys);

/// The plain norm over the hidden width, with a gain of this shape.
Result<Product> norm_of(plugins::Device& device, const ShapedWeight& gain, std::uint32_t rows);

/// Matrices of one size in the formats of the published files, "format.q8_0" and so on: those that
/// the device takes as they are.
Result<std::vector<const ShapedWeight*>> format_shapes(plugins::Device& device,
                                                       const ModelConfig& config,
                                                       WeightShapes& shapes);

}  // namespace ds4::bench
