#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "common/json_writer.hpp"

namespace ds4::bench {

/// Speed at one frontier. Ratios and ceilings are 0 when nothing was probed.
struct BenchRow {
  std::uint32_t run = 1;
  std::uint32_t ctx_tokens = 0;      ///< tokens evaluated when decoding begins
  std::uint32_t prefill_tokens = 0;  ///< since the frontier before
  double prefill_tps = 0;
  std::uint32_t gen_tokens = 0;
  double gen_tps = 0;
  double gen_first_ms = 0;
  std::uint32_t gen_steady_tokens = 0;  ///< all but the first
  double gen_steady_tps = 0;
  double gen_p50_ms = 0;
  double gen_p99_ms = 0;
  std::uint64_t kvcache_bytes = 0;  ///< of the session as a snapshot holds it
  double probe_gbps = 0;
  std::uint64_t token_bytes = 0;  ///< that decoding a token here has to read
  double roofline_tps = 0;
  double ratio = 0;  ///< gen_steady_tps to roofline_tps
  double prefill_roofline_tps = 0;
  double prefill_ratio = 0;
  double expert_hit_rate = 0;  ///< of decoding, with an expert cache; else these five are 0
  double expert_read_ahead = 0;
  double expert_late = 0;
  double expert_wait_s = 0;
  std::uint64_t expert_bytes_read = 0;
  std::string backend;
};

/// The first line of a file of results.
[[nodiscard]] std::string csv_header();
[[nodiscard]] std::string csv_line(const BenchRow& row);
/// The same columns as members of the object that is being written.
void row_members(cli::JsonWriter& json, const BenchRow& row);

/// Reads rows; columns are found by their names, and those that are missing stay 0, so that files
/// of other programs and versions with ctx_tokens, prefill_tps and gen_tps can be read.
/// Errors: bad_file, naming `name` and the line.
Result<std::vector<BenchRow>> parse_csv(std::string_view text, std::string_view name);

/// One row per context, ascending: the median of each figure over the runs.
[[nodiscard]] std::vector<BenchRow> medians(const std::vector<BenchRow>& rows);

}  // namespace ds4::bench
