#include "tests/layering/source_tree.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace ds4::layering {
namespace {

namespace fs = std::filesystem;

constexpr std::array kParts = {"core", "plugins", "backends", "server", "cli", "tests", "bench"};
constexpr std::array kExtensions = {".hpp", ".cpp", ".h", ".c", ".inc", ".cu", ".cuh"};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Folders that `#include "x"` is looked up in, after the file's own.
std::vector<std::string> include_roots(const std::string& path) {
  std::vector<std::string> roots = {"core", "plugins", "plugins/include", ""};
  if (path.starts_with("backends/")) roots = {"plugins/include", "backends"};
  if (path.starts_with("cli/") || path.starts_with("tests/")) roots.emplace_back("cli");
  if (path.starts_with("server/") || path.starts_with("tests/")) roots.emplace_back("server");
  // A backend's sources are compiled with its own folder as a root.
  if (path.starts_with("backends/")) roots.push_back(path.substr(0, path.find('/', 9)));
  return roots;
}

std::string resolve(const fs::path& root, const SourceFile& file, const Include& include) {
  std::vector<std::string> folders = include_roots(file.path);
  if (include.quoted) folders.insert(folders.begin(), file.folder());
  for (const std::string& folder : folders) {
    const fs::path candidate = (fs::path(folder) / include.text).lexically_normal();
    // A header that CMake configures lies in the tree as its template.
    const fs::path source = candidate.string() + ".in";
    if (fs::is_regular_file(root / candidate) || fs::is_regular_file(root / source)) {
      return candidate.generic_string();
    }
  }
  return {};
}

std::vector<Include> parse_includes(const std::string& text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*(?:"([^"]+)\"|<([^>]+)>))");
  std::vector<Include> includes;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.find('#') == std::string::npos) continue;
    std::smatch match;
    if (!std::regex_search(line, match, pattern)) continue;
    const bool quoted = match[1].matched;
    includes.push_back({match[quoted ? 1 : 2].str(), number, quoted, {}});
  }
  return includes;
}

}  // namespace

std::string SourceFile::folder() const {
  return path.substr(0, path.rfind('/'));
}

std::string without_comments_and_literals(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  // Skips to just behind `end`, keeping line breaks.
  const auto skip_behind = [&](const std::string& end) {
    const std::size_t found = text.find(end, at);
    const std::size_t stop = found == std::string::npos ? text.size() : found + end.size();
    for (; at < stop; ++at) {
      if (text[at] == '\n') out += '\n';
    }
  };
  while (at < text.size()) {
    const char c = text[at];
    const bool word_before =
        at > 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0);
    if (text.compare(at, 2, "//") == 0) {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.compare(at, 2, "/*") == 0) {
      at += 2;
      skip_behind("*/");
    } else if (text.compare(at, 2, "R\"") == 0 && !word_before) {
      const std::size_t open = std::min(text.find('(', at), text.size());
      const std::string end = ")" + text.substr(at + 2, open - at - 2) + "\"";
      at = open;
      skip_behind(end);
    } else if (c == '"' || (c == '\'' && !word_before)) {
      // A quote behind a letter or digit separates digits.
      for (++at; at < text.size() && text[at] != c && text[at] != '\n'; ++at) {
        if (text[at] == '\\') ++at;
      }
      ++at;
      out += ' ';
    } else {
      out += c;
      ++at;
    }
  }
  return out;
}

std::vector<SourceFile> read_tree(const fs::path& root) {
  std::vector<SourceFile> files;
  for (const char* part : kParts) {
    if (!fs::is_directory(root / part)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / part)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() ||
          std::ranges::find(kExtensions, extension) == kExtensions.end()) {
        continue;
      }
      const std::string text = read_text(entry.path());
      SourceFile file;
      file.path = fs::relative(entry.path(), root).generic_string();
      file.includes = parse_includes(text);
      file.code = without_comments_and_literals(text);
      files.push_back(std::move(file));
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  for (SourceFile& file : files) {
    for (Include& include : file.includes) include.resolved = resolve(root, file, include);
  }
  return files;
}

}  // namespace ds4::layering
