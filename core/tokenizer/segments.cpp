#include "tokenizer/segments.hpp"

namespace ds4 {

void SegmentBuilder::control(std::string_view token) {
  segments_.push_back({Segment::Kind::control, std::string(token)});
}

void SegmentBuilder::text(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!segments_.empty() && segments_.back().kind == Segment::Kind::text) {
    segments_.back().bytes += bytes;
  } else {
    segments_.push_back({Segment::Kind::text, std::string(bytes)});
  }
}

void SegmentBuilder::marked_text(std::string_view bytes, std::span<const std::string_view> tokens) {
  while (!bytes.empty()) {
    std::size_t at = std::string_view::npos;
    std::string_view found;
    for (const std::string_view token : tokens) {
      const std::size_t here = bytes.find(token);
      if (here < at ||
          (here == at && here != std::string_view::npos && token.size() > found.size())) {
        at = here;
        found = token;
      }
    }
    text(bytes.substr(0, at));
    if (at == std::string_view::npos) return;
    control(found);
    bytes.remove_prefix(at + found.size());
  }
}

std::string flat_text(std::span<const Segment> segments) {
  std::string out;
  for (const Segment& segment : segments) out += segment.bytes;
  return out;
}

}  // namespace ds4
