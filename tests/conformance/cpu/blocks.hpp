/// Random weights for tests of packed formats.
#pragma once

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ds4/backend_sdk.hpp"
#include "tests/conformance/harness/random.hpp"

namespace ds4::conformance {

/// The value of a result; ends the test with its error otherwise.
template <class T>
T must(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), (result ? std::string() : result.error().what));
  return *std::move(result);
}
inline void must(const Result<void>& result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), (result ? std::string() : result.error().what));
}

/// Random blocks of finite values: the halves that scale them are small.
inline std::vector<std::byte> random_blocks(Random& random, std::uint32_t dtype,
                                            std::size_t count) {
  const auto block = sdk::block_shape(dtype);
  std::vector<std::byte> bytes(count * block.bytes);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.bits() & 0xFF);
  for (std::size_t at = 0; at < bytes.size(); at += block.bytes) {
    const std::vector<std::size_t> halves =
        dtype == DS4_DTYPE_Q2_K ? std::vector<std::size_t>{80, 82} : std::vector<std::size_t>{0};
    for (const std::size_t half : halves) {
      bytes[at + half + 1] &= std::byte{0xBB};  // no exponent of all ones
    }
  }
  return bytes;
}

}  // namespace ds4::conformance
