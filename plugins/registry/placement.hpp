#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4::plugins {

/// `--place 0-20=cuda-spark:0,21-42=cpu`: backends for ranges of layers, for the embedding and for
/// the head. Backends are named as with --backend, "auto" too.
///
/// The layers begin with 0 and leave no gap. That they end with the model's last one is checked by
/// for_layers(), since only the model knows it.
class PlacementRequest {
 public:
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::string backend;
  };

  /// Parts stand in any order, spaces nowhere. Errors: invalid_argument naming the part.
  static Result<PlacementRequest> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The backends named, each once, in the order of the forward pass.
  [[nodiscard]] std::vector<std::string> backends() const;

  /// Indexes into backends() for a model of so many layers.
  struct Assignment {
    std::size_t embed = 0;
    std::vector<std::size_t> layers;
    std::size_t head = 0;
  };
  /// Errors: invalid_argument when the ranges name fewer layers, or more.
  [[nodiscard]] Result<Assignment> for_layers(std::uint32_t layers) const;

 private:
  Result<void> add(std::string_view part);
  Result<void> check_ranges();
  /// Those of layer 0 and of the last layer unless named.
  [[nodiscard]] const std::string& embed() const;
  [[nodiscard]] const std::string& head() const;

  std::string text_;
  std::vector<Range> ranges_;  // ascending
  std::optional<std::string> embed_, head_;
};

}  // namespace ds4::plugins
