#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ds4 {

/// A stretch of a prompt. Control segments are one special token each, written by the renderer;
/// text segments never produce a special token, whatever they contain.
struct Segment {
  enum class Kind { control, text };
  Kind kind = Kind::text;
  std::string bytes;

  bool operator==(const Segment&) const = default;
};

/// Collects segments; neighbouring text becomes one segment, so that it is one span for BPE.
class SegmentBuilder {
 public:
  void control(std::string_view token);
  void text(std::string_view bytes);
  /// Fixed text of ours, in which each of `tokens` is a control segment.
  void marked_text(std::string_view bytes, std::span<const std::string_view> tokens);
  [[nodiscard]] std::vector<Segment> take() && { return std::move(segments_); }

 private:
  std::vector<Segment> segments_;
};

/// The prompt as one string: the concatenation of all segments.
[[nodiscard]] std::string flat_text(std::span<const Segment> segments);

}  // namespace ds4
