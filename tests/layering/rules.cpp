#include "tests/layering/rules.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string_view>

namespace ds4::layering {
namespace {

/// A folder and what its files may include besides themselves. The deepest folder that fits counts.
struct Layer {
  std::string_view folder;
  std::vector<std::string_view> knows;
};

/// base < format < ops < tokenizer < model < plan < kv < engine < server, cli. A layer lists less
/// than that order would allow where it needs less.
const std::vector<Layer>& layers() {
  static const std::vector<Layer> table = {
      {"core/base", {}},
      {"core/format", {"core/base"}},
      {"core/ops", {"core/base", "core/format", "plugins/include"}},
      {"core/tokenizer", {"core/base"}},
      {"core/engine/sampler", {"core/base"}},
      {"core/model", {"core/base", "core/format", "core/tokenizer"}},
      {"core/plan/lowering", {"core/base", "core/ops", "plugins/include"}},
      {"core/plan",
       {"core/base", "core/format", "core/ops", "core/model", "core/plan/lowering",
        "plugins/include", "plugins/wrap"}},
      {"core/kv",
       {"core/base", "core/format", "core/ops", "core/model", "core/plan", "plugins/include",
        "plugins/wrap"}},
      {"core/engine",
       {"core/base", "core/format", "core/ops", "core/model", "core/plan", "core/plan/lowering",
        "core/kv", "core/engine/sampler", "plugins/include", "plugins/wrap"}},
      {"plugins/include", {}},
      {"plugins/abi", {"plugins/include"}},
      {"plugins/example-backend", {"plugins/include"}},
      {"plugins/wrap", {"core/base", "plugins/include"}},
      {"plugins/loader", {"core/base", "plugins/include", "plugins/wrap"}},
      {"plugins/registry", {"core/base", "plugins/include", "plugins/wrap", "plugins/loader"}},
      {"server", {"core", "plugins"}},
      {"cli", {"core", "plugins"}},
      // ds4-validate judges backends with the cases that the tests use.
      {"cli/validate", {"core", "plugins", "cli", "tests/conformance"}},
      {"tests/conformance", {"core", "plugins", "tests"}},
      {"tests", {"core", "plugins", "server", "cli", "tests"}},
      {"bench", {"core", "plugins", "tests", "bench"}},
  };
  return table;
}

bool is_under(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

/// The entry of layers() for a file, null when its folder is in none.
const Layer* layer_of(std::string_view path) {
  const Layer* best = nullptr;
  for (const Layer& layer : layers()) {
    if (is_under(path, layer.folder) && (!best || layer.folder.size() > best->folder.size())) {
      best = &layer;
    }
  }
  return best;
}

/// "cli/run" of "cli/run/main.cpp": the folder below a part of the tree.
std::string_view below_part(std::string_view path) {
  return path.substr(0, path.find('/', path.find('/') + 1));
}

bool may_include(const SourceFile& file, std::string_view target) {
  if (is_under(file.path, "backends")) {
    if (is_under(target, "plugins/include") || is_under(target, below_part(file.path))) return true;
    // What the CPU backends share; it knows none of them.
    return is_under(target, "backends/cpu-common") &&
           (below_part(file.path) == "backends/cpu" ||
            below_part(file.path) == "backends/cpu-reference");
  }
  if (is_under(file.path, "cli") && is_under(target, "cli")) {
    return below_part(target) == below_part(file.path) || below_part(target) == "cli/common";
  }
  const Layer* from = layer_of(file.path);
  const Layer* to = layer_of(target);
  if (!from || !to) return false;
  if (from == to) return true;
  return std::ranges::any_of(from->knows, [&](std::string_view known) {
    // "core" stands for every layer below it.
    return to->folder == known || is_under(to->folder, known);
  });
}

std::string at(const SourceFile& file, std::size_t line) {
  return file.path + ":" + std::to_string(line) + ": ";
}

/// Depth-first walk over includes; a file met again on its own path closes a cycle.
class CycleSearch {
 public:
  explicit CycleSearch(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) by_path_[file.path] = &file;
  }

  Findings run() {
    for (const auto& [path, file] : by_path_) visit(path);
    return findings_;
  }

 private:
  void visit(const std::string& path) {
    const auto on_path = std::ranges::find(path_, path);
    if (on_path != path_.end()) {
      std::string cycle;
      for (auto step = on_path; step != path_.end(); ++step) cycle += *step + " -> ";
      findings_.push_back(cycle + path);
      return;
    }
    if (!done_.insert(path).second) return;
    path_.push_back(path);
    if (const auto found = by_path_.find(path); found != by_path_.end()) {
      for (const Include& include : found->second->includes) {
        if (!include.resolved.empty()) visit(include.resolved);
      }
    }
    path_.pop_back();
  }

  std::map<std::string, const SourceFile*> by_path_;
  std::set<std::string> done_;
  std::vector<std::string> path_;
  Findings findings_;
};

void find_matches(const SourceFile& file, const std::regex& pattern, std::string_view what,
                  Findings& findings) {
  const auto begin = std::sregex_iterator(file.code.begin(), file.code.end(), pattern);
  for (auto match = begin; match != std::sregex_iterator(); ++match) {
    const auto end = file.code.begin() + match->position();
    const auto line = static_cast<std::size_t>(std::count(file.code.begin(), end, '\n')) + 1;
    findings.push_back(at(file, line) + match->str() + ": " + std::string(what));
  }
}

}  // namespace

Findings forbidden_arrows(const std::vector<SourceFile>& files) {
  Findings findings;
  for (const SourceFile& file : files) {
    for (const Include& include : file.includes) {
      if (include.resolved.empty()) {
        if (include.quoted) {
          findings.push_back(at(file, include.line) + "\"" + include.text +
                             "\" is no file of the tree");
        }
      } else if (!may_include(file, include.resolved)) {
        findings.push_back(at(file, include.line) + "must not know " + include.resolved);
      }
    }
  }
  return findings;
}

Findings circular_includes(const std::vector<SourceFile>& files) {
  return CycleSearch(files).run();
}

Findings own_header_not_first(const std::vector<SourceFile>& files) {
  std::set<std::string_view> paths;
  for (const SourceFile& file : files) paths.insert(file.path);
  Findings findings;
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".cpp")) continue;
    const std::string header = file.path.substr(0, file.path.size() - 3) + "hpp";
    if (!paths.contains(header)) continue;
    if (file.includes.empty() || file.includes.front().resolved != header) {
      findings.push_back(file.path + ": includes something before " + header);
    }
  }
  return findings;
}

Findings forbidden_calls(const std::vector<SourceFile>& files) {
  static const std::regex environment(R"(\b(secure_getenv|getenv)\b)");
  // A member `abort(` and a function whose name only ends so are not meant.
  static const std::regex printing(
      R"((\b(printf|fprintf|vfprintf|puts|fputs|putchar|perror)\s*\(|\b(cout|cerr|clog|stdout|stderr)\b))");
  static const std::regex ending(
      R"((\bstd::|[^\w.>:])(abort|exit|_Exit|_exit|quick_exit|terminate)\s*\()");
  Findings findings;
  for (const SourceFile& file : files) {
    const bool is_library = is_under(file.path, "core") || is_under(file.path, "plugins") ||
                            is_under(file.path, "backends");
    if (is_library || is_under(file.path, "server")) {
      find_matches(file, environment, "only programs read the environment", findings);
    }
    // The assertion prints and traps; the layout dump is a program.
    if (!is_library || file.path == "core/base/assert.hpp" || is_under(file.path, "plugins/abi")) {
      continue;
    }
    find_matches(file, printing, "libraries report errors to their caller", findings);
    find_matches(file, ending, "libraries do not end the program", findings);
  }
  return findings;
}

}  // namespace ds4::layering
