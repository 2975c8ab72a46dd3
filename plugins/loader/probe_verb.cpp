// The child side of a probe: opens one file and says what it found.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>

#include "loader/open.hpp"
#include "loader/probe.hpp"
#include "loader/search_options.hpp"
#include "loader/search_path.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {
namespace {

ProbeReport probe_here(const std::filesystem::path& file, const std::string& name) {
  ProbeReport out;
  const auto identity = identify(file);
  if (!identity || name.empty()) {
    out.refusal = Refusal{Reason::not_a_file, file.string() + ": is no file of a backend"};
    return out;
  }
  const OpenedBackend opened = open_backend(
      file, name, *identity, std::make_shared<HostApi>(HostOptions{}), {}, OpenedIn::own_process);
  out.refusal = opened.refusal;
  out.open_us = static_cast<std::uint64_t>(opened.open_time.count());
  out.enumerate_us = static_cast<std::uint64_t>(opened.enumerate_time.count());
  if (opened.backend == nullptr) return out;
  const BackendInfo& info = opened.backend->info();
  out.name = info.name;
  out.version = info.version;
  out.vendor = info.vendor;
  out.build = info.build;
  for (const DeviceEntry& device : opened.devices) {
    out.devices.push_back({std::string(bounded_text(device.info.name)),
                           std::string(bounded_text(device.info.architecture)), device.info.score,
                           device.reason});
  }
  return out;
}

/// Keeps the answer's channel to ourselves: what the file prints goes nowhere.
int take_standard_output() noexcept {
  const int answer = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) {
    ::dup2(nowhere, STDOUT_FILENO);
    ::close(nowhere);
  }
  return answer;
}

}  // namespace

std::optional<int> run_probe_verb(int argc, const char* const* argv) {
  if (argc != 4 || std::string_view(argv[1]) != kProbeVerb) return std::nullopt;
  // The verb opens what it is given: nobody may have that done with rights that are not theirs.
  if (is_secure_execution()) return 1;
  // A crash is an expected outcome here and leaves no core file.
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int answer = take_standard_output();
  if (answer < 0) return 1;
  try {
    const std::string text = probe_to_json(probe_here(argv[2], argv[3])) + "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t done = ::write(answer, rest.data(), rest.size());
      if (done <= 0) return 1;
      rest.remove_prefix(static_cast<std::size_t>(done));
    }
  } catch (const std::exception&) {
    return 1;
  }
  ::close(answer);
  return 0;
}

}  // namespace ds4::plugins
