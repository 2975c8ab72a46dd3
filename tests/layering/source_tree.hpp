#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ds4::layering {

/// One line `#include "x"` or `#include <x>`.
struct Include {
  std::string text;  ///< what stands between the quotes or brackets
  std::size_t line = 0;
  bool quoted = false;
  std::string resolved;  ///< path of the file in the tree, from its root; empty for system headers
};

/// A source file of the tree.
struct SourceFile {
  std::string path;  ///< from the root, with '/'
  std::vector<Include> includes;
  std::string code;  ///< content without comments and literals; newlines kept

  /// The folder, without a slash at its end.
  [[nodiscard]] std::string folder() const;
};

/// Reads every C and C++ file under core, plugins, backends, server, cli, tests and bench, sorted
/// by path. Includes are looked up next to the file, then in the include roots that its part of the
/// tree is compiled with.
[[nodiscard]] std::vector<SourceFile> read_tree(const std::filesystem::path& root);

/// `text` without comments, string and character literals; line breaks stay where they are.
[[nodiscard]] std::string without_comments_and_literals(const std::string& text);

}  // namespace ds4::layering
