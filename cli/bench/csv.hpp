#pragma once

#include <string_view>
#include <vector>

namespace ds4::bench {

/// The cells of a line; none of ours holds a comma or quotes.
[[nodiscard]] std::vector<std::string_view> csv_cells(std::string_view line);
/// The lines of a file without their ends.
[[nodiscard]] std::vector<std::string_view> csv_lines(std::string_view text);

}  // namespace ds4::bench
