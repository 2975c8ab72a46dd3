#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "engine/op_outputs.hpp"
#include "wrap/device.hpp"

namespace ds4 {

/// A descriptor of any op, in words, so that its pointers can be exchanged.
class OpCopy {
 public:
  explicit OpCopy(const ds4_op& op);
  [[nodiscard]] const ds4_op& op() const noexcept {
    return *reinterpret_cast<const ds4_op*>(words_.data());
  }
  [[nodiscard]] std::span<std::uint64_t> words() noexcept { return words_; }

 private:
  std::vector<std::uint64_t> words_;
};

/// Handles of one device by those of another: buffers and weights.
using HandleMap = std::unordered_map<std::uint64_t, std::uint64_t>;

template <class Handle>
[[nodiscard]] std::uint64_t handle_key(const Handle* handle) noexcept {
  return reinterpret_cast<std::uintptr_t>(handle);
}

/// The same op over the handles of another device.
[[nodiscard]] OpCopy with_handles(const ds4_op& op, const HandleMap& handles);

/// Every view of a descriptor whose buffer is one of `buffers`.
[[nodiscard]] std::vector<ds4_view> views_of(const ds4_op& op, const HandleMap& buffers);

/// An op as a device that is asked to repeat it can run it.
struct RepeatedOp {
  std::vector<OpCopy> copies;   ///< the op itself, its composition, or nothing
  std::vector<OpCopy> scores;   ///< of a route: what gives its scores, into `score`
  ds4_view score{};             ///< [rows, experts] F32 in the scratch
  std::string lacks;            ///< why it cannot be run; empty when it can
  std::uint64_t scratch = 0;    ///< bytes that it uses
  std::uint64_t workspace = 0;  ///< bytes that it needs at most
};

/// Prepares `op`, whose handles are already those of `device` or null. A fused op that the device
/// does not have becomes its composition over `scratch` (null: to size only).
Result<RepeatedOp> repeat_op(const plugins::Device& device, OpCopy op, ds4_buffer* scratch);

/// What repeating ops takes at most.
struct RepeatSizes {
  std::uint64_t scratch = 0;
  std::uint64_t workspace = 0;
};
Result<RepeatSizes> repeat_sizes(const plugins::Device& device, std::span<const ds4_op* const> ops,
                                 const HandleMap& handles);

}  // namespace ds4
