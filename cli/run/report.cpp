#include "run/report.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/progress.hpp"
#include "common/version.hpp"
#include "engine/memory_planner.hpp"
#include "ops/op_table.hpp"
#include "run/inspect.hpp"
#include "tokenizer/text_edit.hpp"

namespace ds4::run {
namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string mib(std::uint64_t bytes) {
  return cli::decimals(static_cast<double>(bytes) / (1024.0 * 1024.0), 1) + " MiB";
}

std::string memory_text() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long available = ::sysconf(_SC_AVPHYS_PAGES);
  const long size = ::sysconf(_SC_PAGESIZE);
  if (pages < 0 || available < 0 || size < 0) return "unknown";
  const auto unit = static_cast<std::uint64_t>(size);
  return mib(static_cast<std::uint64_t>(pages) * unit) + " (" +
         mib(static_cast<std::uint64_t>(available) * unit) + " free)";
}

std::string memory_line(const MemoryReport& memory) {
  std::ostringstream out;
  out << "memory: weights " << mib(memory.weights) << ", expert cache " << mib(memory.expert_cache)
      << ", in place " << mib(memory.weights_in_place) << ", rings " << mib(memory.rings)
      << ", pages " << mib(memory.pages) << ", activations " << mib(memory.activations)
      << ", workspace " << mib(memory.workspace) << ", step " << mib(memory.step) << "\n";
  return out.str();
}

std::string on_off(bool value) {
  return value ? "on" : "off";
}

}  // namespace

std::string without_home(std::string text, const std::string& home) {
  if (home.size() > 1) text = replace_all(text, home, "~");
  // Paths of another account: its name is the part after /home/ or /Users/.
  for (const std::string_view root : {"/home/", "/Users/"}) {
    for (std::size_t at = text.find(root); at != std::string::npos; at = text.find(root, at + 1)) {
      const std::size_t end = text.find_first_of("/ \t\n\"':,;)", at + root.size());
      text.replace(at, (end == std::string::npos ? text.size() : end) - at, "~");
    }
  }
  return text;
}

std::string system_report(const cli::Runtime& runtime, const RunOptions& options,
                          const cli::Environment& environment) {
  std::ostringstream out;
  out << "## ds4 report\n" << cli::version_line("ds4-run") << "\n\n## System\n";
  utsname system{};
  if (::uname(&system) == 0) {
    out << "os: " << system.sysname << " " << system.release << " " << system.machine << "\n";
  }
  out << "cpu: " << cpu_name() << ", " << ::sysconf(_SC_NPROCESSORS_ONLN) << " processors\n"
      << "memory: " << memory_text() << "\n\n## Backends\n"
      << runtime.registry().listing(plugins::ListingStyle::verbose,
                                    cli::backend_requests(options.runtime))
      << "\n## Options\n"
      << (options.runtime.placement ? "place " + options.runtime.placement->text()
                                    : "backend " + options.runtime.backend)
      << ", ctx " << options.runtime.context << ", threads " << runtime.threads()
      << ", prefill-chunk " << options.runtime.prefill_chunk << "\nroundings: kv-fp8 "
      << on_off(options.runtime.roundings.kv_fp8) << ", row-storage "
      << on_off(options.runtime.roundings.row_storage) << ", index-fp4 "
      << on_off(options.runtime.roundings.index_fp4) << "\nthinking "
      << effort_name(options.think()) << ", tokens " << options.tokens << ", "
      << cli::describe(options.sampling) << "\n";
  for (const auto& [key, value] : options.runtime.backend_options) {
    out << "backend option " << key << "=" << value << "\n";
  }
  return without_home(out.str(), environment.home.string());
}

std::string model_report(Session& session) {
  const Engine& engine = session.engine();
  std::ostringstream out;
  out << "\n## Model\n"
      << model_summary(engine.model()) << "header sha256: " << engine.model().fingerprint()
      << "\nunused tensors: " << engine.model().unused_tensors() << "\n\n## Plan on "
      << session.backend() << "\n";
  const std::vector<StageReport> stages = engine.stages();
  for (const StageReport& stage : stages) {
    if (stages.size() > 1) out << stage.span.text() << " on " << device_name(*stage.device) << "\n";
    out << "ops: " << stage.plan->ops().size() << "\n";
    for (const ComposedOp& op : stage.plan->composed()) {
      out << "composed: " << op_name(op.id) << ", layers " << op.first_layer << ".."
          << op.last_layer << ", " << op.count << " times: " << op.reason << "\n";
    }
  }
  for (std::size_t d = 0; d < engine.devices().devices.size(); ++d) {
    const plugins::Device* const device = engine.devices().devices[d].get();
    const auto on_it = std::find_if(stages.begin(), stages.end(), [device](const auto& stage) {
      return stage.device.get() == device;
    });
    out << (stages.size() > 1 ? device_name(*device) + ": " : "") << memory_line(on_it->memory);
  }
  return out.str();
}

}  // namespace ds4::run
