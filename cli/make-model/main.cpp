// ds4-make-model: writes a model of random weights, from a few KB to the published shapes.
#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>

#include "common/console.hpp"
#include "common/environment.hpp"
#include "common/exit_code.hpp"
#include "common/progress.hpp"
#include "format/gguf_reader.hpp"
#include "make-model/options.hpp"

namespace ds4::make_model {
namespace {

constexpr const char* kProgram = "ds4-make-model";
constexpr std::uint32_t kMostThreads = 32;

/// Whether OUT may be written: a file that this program made is replaced, anything else is
/// somebody's.
bool may_write(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return true;
  const auto file = GgufFile::open(path);
  if (!file) return false;
  const auto name = file->string("general.name");
  return name.ok() && name->starts_with("synthetic ");
}

int report(const cli::Console& console, const Error& error) {
  console.error(error.what);
  const bool is_failure = error.code == Errc::io || error.code == Errc::out_of_memory;
  return is_failure ? cli::kFailure : cli::kUsage;
}

std::string gigabytes(std::uint64_t bytes) {
  return cli::decimals(static_cast<double>(bytes) / 1e9, 2) + " GB";
}

std::string summary(const Options& options, const SyntheticSpec& spec, const SyntheticSize& size) {
  std::string text = options.out + ": " + spec.config.name + ", " + std::to_string(size.tensors) +
                     " tensors, " + std::to_string(size.file_bytes) + " bytes";
  if (spec.holes != Holes::none) text += " (" + std::to_string(size.disk_bytes) + " on the disk)";
  return text;
}

/// Refuses what the disk cannot hold before anything is written. A folder that tells nothing is
/// left to the write itself.
Result<void> check_space(const Options& options, const SyntheticSize& size) {
  const std::filesystem::path parent = std::filesystem::path(options.out).parent_path();
  std::error_code code;
  const auto space = std::filesystem::space(parent.empty() ? "." : parent, code);
  if (code || space.available >= size.disk_bytes) return {};
  return fail(Errc::io, options.out, ": needs ", gigabytes(size.disk_bytes), " on a disk with ",
              gigabytes(space.available), " free; --sparse writes no experts, --layers N fewer");
}

int write(const cli::Console& console, const Options& options, const SyntheticSpec& spec) {
  const auto size = synthetic_size(spec);
  if (!size) return report(console, size.error());
  if (options.only_sizes) {
    console.note(summary(options, spec, *size));
    return cli::kSuccess;
  }
  if (!options.overwrites && !may_write(options.out)) {
    console.error(options.out +
                  " exists and is no synthetic model; name another file or give --overwrite");
    return cli::kUsage;
  }
  if (const auto room = check_space(options, *size); !room) return report(console, room.error());
  const std::uint32_t processors = std::max(std::thread::hardware_concurrency(), 1U);
  ThreadTeam team(options.threads != 0 ? options.threads : std::min(processors, kMostThreads));
  cli::ByteProgressLine progress(console, "writing");
  const auto done = write_synthetic_model(
      options.out, spec, team,
      [&progress](std::uint64_t bytes, std::uint64_t total) { progress.update(bytes, total); });
  progress.end_line();
  if (!done) return report(console, done.error());
  console.note(summary(options, spec, *size));
  return cli::kSuccess;
}

int run(int argc, char** argv) {
  const cli::Console console(kProgram, cli::ColorMode::automatic, false);
  CLI::App app("Writes a DeepSeek V4 model of random weights as GGUF.", kProgram);
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return console.write(app.help()) ? cli::kSuccess : cli::kFailure;
  } catch (const CLI::ParseError& error) {
    console.error(error.what());
    return cli::kUsage;
  }
  // Not required(): CLI11 would name OUT instead of an option that it does not know.
  if (options.out.empty()) {
    console.error("OUT is missing: name the GGUF file to write");
    return cli::kUsage;
  }
  const auto spec = make_spec(options);
  if (!spec) return report(console, spec.error());
  return write(console, options, *spec);
}

}  // namespace
}  // namespace ds4::make_model

int main(int argc, char** argv) {
  // A file that may not grow (ulimit -f) is an error of a write, not the end of the process.
  (void)std::signal(SIGXFSZ, SIG_IGN);
  try {
    return ds4::make_model::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ds4-make-model: " << error.what() << '\n';
    return ds4::cli::kFailure;
  }
}
