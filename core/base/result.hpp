#pragma once

#include <boost/system/result.hpp>

#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace ds4 {

/// A value or an Error. Unlike boost::system::result, which it wraps, it is [[nodiscard]] and never
/// throws: `operator*` on an error is a defect of the caller.
template <class T>
class [[nodiscard]] Result {
 public:
  template <class U = T>
  requires(std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error>) Result(U&& value)
      : value_(boost::system::in_place_value, std::forward<U>(value)) {}
  Result(Error error) : value_(boost::system::in_place_error, std::move(error)) {}

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& operator*() & noexcept { return *value_.operator->(); }
  [[nodiscard]] const T& operator*() const& noexcept { return *value_.operator->(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*value_.operator->()); }
  [[nodiscard]] T* operator->() noexcept { return value_.operator->(); }
  [[nodiscard]] const T* operator->() const noexcept { return value_.operator->(); }

  /// The error; only meaningful when !ok().
  [[nodiscard]] Error error() const { return value_.error(); }

 private:
  boost::system::result<T, Error> value_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : value_(boost::system::in_place_error, std::move(error)) {}

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] Error error() const { return value_.error(); }

 private:
  boost::system::result<void, Error> value_;
};

}  // namespace ds4

#define DS4_JOIN_(a, b) a##b
#define DS4_JOIN(a, b) DS4_JOIN_(a, b)

/// DS4_TRY(var, expr): evaluates a Result expression; on error returns the error from the enclosing
/// function, else moves the value into `var` (a declaration or an existing variable).
#define DS4_TRY(var, expr)                                                        \
  auto DS4_JOIN(ds4_try_, __LINE__) = (expr);                                     \
  if (!DS4_JOIN(ds4_try_, __LINE__)) return DS4_JOIN(ds4_try_, __LINE__).error(); \
  var = *std::move(DS4_JOIN(ds4_try_, __LINE__))

/// DS4_CHECK(expr): the same for Result<void>.
#define DS4_CHECK(expr) \
  if (auto ds4_check_ = (expr); !ds4_check_) return ds4_check_.error()
