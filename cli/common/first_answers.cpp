#include "common/first_answers.hpp"

#include "common/runtime.hpp"
#include "common/version.hpp"

namespace ds4::cli {

ExitCode print(const Console& console, const std::string& text) {
  if (console.write(text)) return kSuccess;
  console.error("standard output does not take the result");
  return kFailure;
}

bool only_asks(const RuntimeOptions& options) noexcept {
  return options.help || options.shows_version || options.list_backends;
}

std::optional<ExitCode> first_answer(const Console& console, const OptionTable& table,
                                     const Result<void>& parsed, const RuntimeOptions& options,
                                     const Environment& environment) {
  if (!parsed) {
    console.error(parsed.error().what);
    if (parsed.error().code == Errc::not_found) {
      console.write_error(table.help("", console.colors_stderr()));
    }
    return kUsage;
  }
  if (options.help) return print(console, table.help(*options.help, console.colors_stdout()));
  if (options.shows_version) return print(console, version_line(console.program()) + "\n");
  if (options.list_backends) {
    const Runtime runtime(console, options, environment);
    return print(console,
                 runtime.registry().listing(*options.list_backends, backend_requests(options)));
  }
  return std::nullopt;
}

}  // namespace ds4::cli
