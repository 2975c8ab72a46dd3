#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_team.hpp"
#include "ds4/backend_sdk.hpp"

/// The reference backend, opened from its file, with a host of this test's own.
///
/// Objects made through it live until it goes. Every tensor gets a buffer of exactly its size, so a
/// byte too far is out of bounds.
class Reference {
 public:
  struct Options {
    std::uint32_t threads = 1;
    std::uint32_t device_flags = DS4_DEVICE_VALIDATE;
    const char* compose = nullptr;
  };
  Reference() : Reference(Options{}) {}
  explicit Reference(const Options& options);
  ~Reference();
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  [[nodiscard]] const ds4_backend_api& api() const { return *api_; }
  [[nodiscard]] ds4_device* device() const { return device_; }
  [[nodiscard]] ds4_stream* stream() const { return stream_; }

  /// A row-contiguous tensor, filled with NaN (F32) or with bytes of 0xff.
  ds4_view tensor(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents,
                  std::uint32_t row_tail = 0);
  ds4_view floats(std::initializer_list<std::uint32_t> extents, const std::vector<float>& values);
  ds4_view ints(std::initializer_list<std::uint32_t> extents,
                const std::vector<std::int32_t>& values);
  const ds4_weight* weight(std::uint32_t role, std::initializer_list<std::uint32_t> extents,
                           const std::vector<float>& values);
  const ds4_weight* packed(std::uint32_t dtype, std::uint32_t role,
                           std::initializer_list<std::uint32_t> extents, const void* bytes,
                           std::uint64_t count);

  [[nodiscard]] std::vector<float> read(const ds4_view& view) const;
  [[nodiscard]] std::vector<std::int32_t> read_ints(const ds4_view& view) const;
  [[nodiscard]] std::vector<std::uint8_t> read_bytes(const ds4_view& view) const;

  /// The words of the step block; empty: no step block.
  std::vector<std::int32_t> step;

  /// Sizes the workspace, fills it with NaN and runs the ops. The error's text is kept.
  ds4_status enqueue(const std::vector<const ds4_op*>& ops);
  template <class Op>
  ds4_status run(const Op& op) {
    return enqueue({&op.op});
  }
  [[nodiscard]] const ds4_error& error() const { return error_; }
  [[nodiscard]] std::string text() const { return error_.text; }

 private:
  struct Host;
  std::unique_ptr<Host> host_;
  void* library_ = nullptr;
  const ds4_backend_api* api_ = nullptr;
  ds4_device* device_ = nullptr;
  ds4_stream* stream_ = nullptr;
  std::vector<ds4_buffer*> buffers_;
  std::vector<ds4_weight*> weights_;
  ds4_error error_{};
};

/// A descriptor with its header filled, over all `rows`.
template <class Op>
Op make_op(std::uint32_t id, std::uint32_t rows, std::uint32_t flags = 0) {
  Op op{};
  op.op = {sizeof(Op), id, flags, 7};
  op.rows = {rows, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  return op;
}

/// Values in [-1, 1) that differ everywhere and repeat from run to run.
std::vector<float> spread(std::size_t n, std::uint32_t seed);

/// One head of attention: q over `source` in source[0].
ds4_row_source range_source(const ds4_view& rows, const ds4_view& list);
