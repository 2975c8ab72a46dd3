#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "run/options.hpp"

namespace ds4::run {

/// Separates an answer into thinking and text while it streams in.
///
/// The tags may be split anywhere, so a suffix that could begin one is held back; the tags
/// themselves are dropped.
class ThinkingSplitter {
 public:
  enum class Scan {
    tags,  ///< <think> and </think> switch
    off,   ///< everything is text
  };
  using Sink = std::function<void(bool is_thinking, std::string_view bytes)>;

  ThinkingSplitter(Scan scan, bool starts_thinking, Sink sink);
  void push(std::string_view bytes);
  /// Gives out what is held back.
  void finish();
  [[nodiscard]] bool is_thinking() const noexcept { return is_thinking_; }

 private:
  Scan scan_;
  bool is_thinking_;
  Sink sink_;
  std::string held_;
};

/// Writes the parts of an answer: thinking grey, or not at all, and the answer on a line of its
/// own.
class ThinkingPrinter {
 public:
  using Write = std::function<void(std::string_view)>;
  ThinkingPrinter(bool shows_thinking, bool colors, Write write);

  void print(bool is_thinking, std::string_view bytes);
  /// Ends colour and line.
  void finish();

 private:
  void put(std::string_view bytes);
  bool shows_thinking_;
  bool colors_;
  Write write_;
  bool is_grey_ = false;
  bool was_thinking_ = false;
  bool has_text_ = false;
  char last_ = '\n';
};

}  // namespace ds4::run
