#pragma once

#include <string>
#include <vector>

namespace ds4::bench {

/// A table for people: columns as wide as they must be, numbers to the right.
class TextTable {
 public:
  /// `left`: columns from the first that are aligned to the left.
  explicit TextTable(std::vector<std::string> titles, std::size_t left = 0);
  void row(std::vector<std::string> cells);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

}  // namespace ds4::bench
