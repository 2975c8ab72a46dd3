#pragma once

#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace ds4 {

/// What kind of failure an Error is; a caller decides by this, a person reads `what`.
enum class Errc : int {
  invalid_argument = 1,  ///< a value given by the caller is outside its range
  unsupported,           ///< well formed, but this build or backend cannot do it
  not_found,             ///< a file, key, tensor or backend that was asked for is not there
  out_of_memory,         ///< memory or KV pages are used up
  io,                    ///< the operating system refused to read or write
  bad_file,              ///< a file's content breaks its format
  device_lost,           ///< the device is gone; only releasing is legal afterwards
  cancelled,             ///< stopped on request
  internal,              ///< a defect of ours
};

/// A failure: its kind, and one line that says what was wanted, what was found and what to do.
/// Context is added outwards, innermost last: "model.gguf: tensor blk.3.attn_kv: ...".
struct Error {
  Errc code = Errc::internal;
  std::string what;

  /// The same error with "parts: " put in front.
  template <class... Parts>
  [[nodiscard]] Error in(const Parts&... parts) const {
    std::ostringstream text;
    (text << ... << parts) << ": " << what;
    return Error{code, text.str()};
  }
};

/// Builds an Error from streamable parts: `fail(Errc::io, "cannot open ", path)`.
template <class... Parts>
[[nodiscard]] Error fail(Errc code, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return Error{code, text.str()};
}

}  // namespace ds4
