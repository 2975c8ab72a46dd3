#include "wrap/library.hpp"

// std::filesystem instead of Boost.Filesystem: one library less to ship.
#define BOOST_DLL_USE_STD_FS
#include <link.h>

#include <boost/dll/shared_library.hpp>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include "wrap/fp_control.hpp"

namespace ds4::plugins {

/// Holds the library without closing it: the member of a union is destroyed by request only.
struct PluginLibrary::Handle {
  Handle() : library() {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {}
  union {
    boost::dll::shared_library library;
  };
};

PluginLibrary::PluginLibrary(std::filesystem::path path, std::unique_ptr<Handle> handle)
    : path_(std::move(path)), handle_(std::move(handle)) {}

Result<std::shared_ptr<PluginLibrary>> PluginLibrary::open(const std::filesystem::path& path,
                                                           const LogSink& log) {
  if (!path.is_absolute()) {
    return fail(Errc::invalid_argument, path.string(), ": a backend is opened by absolute path");
  }
  auto handle = std::make_unique<Handle>();
  const std::string name = path.filename().string();
  try {
    const FpGuard guard(log, name, "its static constructors");
    // The throwing form: only its text carries the linker's line with the symbol's name.
    handle->library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::exception& error) {
    return fail(Errc::bad_file, path.string(), ": cannot be opened: ", error.what());
  }
  std::shared_ptr<PluginLibrary> made(new PluginLibrary(path, std::move(handle)));
  try {
    if (made->handle_->library.has(DS4_BACKEND_ENTRY_NAME)) {
      made->entry_ = &made->handle_->library.get<std::remove_pointer_t<ds4_backend_entry_fn>>(
          DS4_BACKEND_ENTRY_NAME);
    }
  } catch (const std::exception& error) {
    return fail(Errc::bad_file, path.string(), ": ", error.what());
  }
  return made;
}

PluginLibrary::~PluginLibrary() {
#if DS4_BUILD_SANITIZED
  constexpr bool may_close = false;
#else
  constexpr bool may_close = true;
#endif
  // Otherwise the handle is given up on purpose: what the backend left behind (threads of a driver,
  // exit handlers) may still run its code.
  if (may_close && close_) handle_->library.~shared_library();
}

bool PluginLibrary::is_mapped(const std::filesystem::path& path) {
  struct Search {
    const char* wanted;
    bool found;
  } search{path.c_str(), false};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* argument) {
        auto& wanted = *static_cast<Search*>(argument);
        if (object->dlpi_name == nullptr || std::string_view(object->dlpi_name) != wanted.wanted) {
          return 0;
        }
        wanted.found = true;
        return 1;
      },
      &search);
  return search.found;
}

}  // namespace ds4::plugins
