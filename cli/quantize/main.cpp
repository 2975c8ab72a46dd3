// ds4-quantize: an official checkpoint (safetensors) becomes a GGUF file.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>

#include "quantize/convert.hpp"

namespace {

using ds4::quantize::ConvertOptions;
using ds4::quantize::ConvertProgress;
using ds4::quantize::ConvertReport;
using ds4::quantize::Recipe;

constexpr int kFailure = 1;
constexpr int kUsage = 2;
constexpr std::uint64_t kMebi = 1024 * 1024;

int complain(int status, const std::string& what) {
  std::cerr << "ds4-quantize: " << what << '\n';
  return status;
}

// One rewritten line on a terminal, else a line every few seconds.
class Progress {
 public:
  void show(const ConvertProgress& at) {
    const auto now = std::chrono::steady_clock::now();
    const auto pause = is_terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(5);
    if (now - last_ < pause) return;
    last_ = now;
    std::cerr << (is_terminal_ ? "\r\033[K" : "") << '[' << at.tensor + 1 << '/' << at.tensors
              << "] " << at.name << ' ' << ds4::dtype_name(at.dtype) << ", "
              << at.bytes_done / kMebi << " of " << at.bytes_total / kMebi << " MiB"
              << (is_terminal_ ? "" : "\n") << std::flush;
    is_dirty_ = is_terminal_;
  }
  ~Progress() {
    if (is_dirty_) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool is_dirty_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void print(const ConvertReport& report, const ConvertOptions& options) {
  std::cout << (options.is_dry_run ? "would write " : "wrote ") << options.output.string() << ": "
            << report.tensors << " tensors, " << report.file_bytes << " bytes";
  if (report.repacked_experts != 0) {
    std::cout << ", " << report.repacked_experts << " expert matrices kept exactly as MXFP4";
  }
  std::cout << '\n';
  if (report.left_out_mtp != 0) {
    std::cerr << "ds4-quantize: left out " << report.left_out_mtp
              << " tensors of the next-token-prediction block\n";
  }
  if (report.left_out_other != 0) {
    std::cerr << "ds4-quantize: left out " << report.left_out_other
              << " tensors that the model does not use, for example " << report.left_out_example
              << '\n';
  }
}

int run(ConvertOptions& options, const std::string& type, const std::string& experts,
        bool is_overwrite) {
  auto recipe = Recipe::parse(type, experts);
  if (!recipe) return complain(kUsage, recipe.error().what);
  options.recipe = *recipe;
  std::error_code code;
  if (!is_overwrite && !options.is_dry_run && std::filesystem::exists(options.output, code)) {
    return complain(kUsage, options.output.string() + ": exists; give --overwrite to replace it");
  }
  if (!std::filesystem::is_directory(options.source, code)) {
    return complain(kFailure,
                    options.source.string() +
                        ": is not a folder; give the folder of the downloaded checkpoint");
  }
  const auto tokenizer = options.source / "tokenizer.json";
  if (options.with_tokenizer && !std::filesystem::exists(tokenizer, code)) {
    return complain(kFailure, tokenizer.string() +
                                  ": is missing; download it, or give --no-tokenizer for a file "
                                  "that takes token ids only");
  }
  ds4::Result<ConvertReport> report = [&] {
    Progress progress;
    return convert(options, [&](const ConvertProgress& at) { progress.show(at); });
  }();
  if (!report) return complain(kFailure, report.error().what);
  print(*report, options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A file that may not grow (ulimit -f) is an error of a write, not the end of the process.
  (void)std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app{"Converts an official DeepSeek V4 checkpoint (safetensors) to a GGUF file."};
  app.name("ds4-quantize");
  app.set_version_flag("--version", "ds4-quantize " DS4_VERSION);
  ConvertOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  std::string type = "auto";
  std::string experts;
  bool is_overwrite = false;
  bool is_without_tokenizer = false;
  app.add_option("--hf", options.source,
                 "Folder of the checkpoint: *.safetensors, config.json, tokenizer.json");
  app.add_option("--out", options.output, "GGUF file to write");
  app.add_option("--type", type,
                 "auto: projections Q8_0, experts exact where they are FP4, the rest F16 and F32; "
                 "or one type for projections and experts: f32, f16, bf16, q8_0, q4_k, q5_k, q6_k")
      ->capture_default_str();
  app.add_option("--experts", experts,
                 "Type of routed experts, or GATE_UP/DOWN, for example iq2_xxs/q2_k");
  app.add_option("--threads", options.threads, "Threads that encode")->check(CLI::Range(1U, 1024U));
  app.add_flag("--no-tokenizer", is_without_tokenizer, "Write no token table");
  app.add_flag("--overwrite", is_overwrite, "Replace an existing file");
  app.add_flag("--dry-run", options.is_dry_run, "Check everything and print sizes, write nothing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::CallForVersion&) {
    std::cout << app.version() << '\n';
    return 0;
  } catch (const CLI::ParseError& error) {
    return complain(kUsage, error.what());
  }
  // Not required(): CLI11 would name them instead of an option that it does not know.
  if (options.source.empty()) return complain(kUsage, "--hf FOLDER is missing");
  if (options.output.empty()) return complain(kUsage, "--out FILE is missing");
  options.with_tokenizer = !is_without_tokenizer;
  return run(options, type, experts, is_overwrite);
}
