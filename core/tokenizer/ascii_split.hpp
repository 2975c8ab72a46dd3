#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace ds4 {

/// All three stages of Pretokenizer for text of bytes below 0x80 only, by hand. Appends the piece
/// ends, each plus `offset`.
void split_ascii(std::string_view text, std::size_t offset, std::vector<std::size_t>& ends);

/// The third stage only, for a piece without digits.
void split_ascii_words(std::string_view piece, std::size_t offset, std::vector<std::size_t>& ends);

}  // namespace ds4
