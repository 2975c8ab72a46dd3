#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/models/raw_model.hpp"

namespace ds4::test {

/// One way in which a file can be broken, and a part of the line that has to say so.
struct Malformed {
  std::string name;
  std::string expected;
  std::function<void(RawModel&)> edit;   ///< before encoding; may be empty
  std::function<void(Bytes&)> cut = {};  ///< after encoding; may be empty
};

/// Each breaks one thing of the model `micro`; no two break the same.
[[nodiscard]] std::vector<Malformed> broken_bytes();
[[nodiscard]] std::vector<Malformed> broken_metadata();
[[nodiscard]] std::vector<Malformed> broken_settings();
[[nodiscard]] std::vector<Malformed> broken_tensors();
[[nodiscard]] std::vector<Malformed> broken_vocabularies();

}  // namespace ds4::test
