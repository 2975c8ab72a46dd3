#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "loader/search_options.hpp"
#include "registry/candidate.hpp"
#include "wrap/backend.hpp"
#include "wrap/device.hpp"

namespace ds4::plugins {

/// `--backend NAME[:device]`. "auto" and the empty text choose by score.
struct BackendRequest {
  std::string name;  ///< empty: any
  std::optional<std::uint32_t> device;
  std::string option = "--backend";  ///< what errors call it
};

/// `option`: where the text stood. Errors: invalid_argument, saying the form.
Result<BackendRequest> parse_backend_request(std::string_view text,
                                             std::string_view option = "--backend");

/// The backend and device that a request stands for.
struct Selected {
  std::shared_ptr<Backend> backend;
  std::uint32_t device = 0;
  ds4_device_info info{};
  std::string notice;  ///< one line to show the user, or empty

  /// flags: DS4_DEVICE_*.
  [[nodiscard]] Result<std::shared_ptr<Device>> open(std::uint32_t flags = 0) const {
    return backend->open_device(device, flags);
  }
};

/// How a listing is written.
enum class ListingStyle {
  table,
  json,
  verbose,  ///< the table, then each directory that was considered and why it was skipped
};

/// Every file that is named like a backend, in search order, and which of them can be used.
///
/// Objects chosen from it keep their library alive, so a registry may go before they do.
class Registry {
 public:
  /// Looks, checks, probes and opens. Never fails: what is wrong with one file is that file's
  /// refusal and stops no other.
  static Registry scan(const BackendSearchOptions& options, std::shared_ptr<HostApi> host);

  /// request: `NAME`, `NAME:device`, `auto` or empty, given with `option`. A NAME that is no
  /// backend's stands for the best of its family: `cpu` for `cpu-avx2`, `cpu-base`, ... (never
  /// `cpu-reference`). Errors: invalid_argument (the form), not_found (the backend asked for cannot
  /// be used: exit status 3), unsupported (no backend can be used: exit status 4). The last two
  /// carry the reasons of the files concerned; listing() and listing_of() print them as a table.
  Result<Selected> select(std::string_view request, std::string_view option = "--backend") const;

  [[nodiscard]] std::span<const Candidate> candidates() const noexcept { return candidates_; }
  [[nodiscard]] std::span<const SearchedDirectory> directories() const noexcept {
    return directories_;
  }

  /// Lines end with a newline. What `select(request)` takes is shown as "selected".
  [[nodiscard]] std::string listing(ListingStyle style, std::string_view request = "auto") const;
  /// The same with several devices selected.
  [[nodiscard]] std::string listing(ListingStyle style,
                                    std::span<const std::string> requests) const;
  /// The table of the candidates that `request` names.
  [[nodiscard]] std::string listing_of(std::string_view request) const;

 private:
  std::vector<Candidate> candidates_;
  std::vector<SearchedDirectory> directories_;
};

}  // namespace ds4::plugins
