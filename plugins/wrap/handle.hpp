#pragma once

#include <memory>
#include <utility>

namespace ds4::plugins {

class Device;

/// An object of a backend together with the device that it lives on, which it keeps open.
/// Movable, empty by default; `Destroy::release(device, object)` gives the object back.
template <class Object, class Destroy>
class Handle {
 public:
  Handle() = default;
  Handle(std::shared_ptr<Device> device, Object* object) noexcept
      : device_(std::move(device)), object_(object) {}
  Handle(Handle&& other) noexcept
      : device_(std::move(other.device_)), object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      device_ = std::move(other.device_);
      object_ = std::exchange(other.object_, nullptr);
    }
    return *this;
  }
  ~Handle() { reset(); }

  /// Gives the object back now.
  void reset() noexcept {
    if (object_ != nullptr) Destroy::release(*device_, std::exchange(object_, nullptr));
    device_.reset();
  }
  /// The object for views and descriptors of the C table; null when empty.
  [[nodiscard]] Object* handle() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }

 protected:
  /// Lets go of the object without destroying it: the backend has taken it back.
  Object* take() noexcept { return std::exchange(object_, nullptr); }

 private:
  std::shared_ptr<Device> device_;
  Object* object_ = nullptr;
};

}  // namespace ds4::plugins
