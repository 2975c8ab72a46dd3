#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/facts.hpp"

namespace ds4::bench {

/// One line of the table of kernels. Ratios are 0 where nothing was probed.
struct OpRow {
  std::string kernel;  ///< no comma in any text
  std::string shape;
  double bytes = 0;      ///< read and written by one run, each once
  double us_median = 0;  ///< 0: not run, `note` says why
  double gbps = 0;
  double ratio_to_probe = 0;
  double us_cpu = 0;  ///< of one thread; 0 where the device does not compute on the host
  double ratio_cpu = 0;
  double gmacs = 0;  ///< 10^9 multiplications a second
  std::uint32_t rows = 0;
  std::uint32_t context = 0;  ///< tokens before and in the step; 0: makes no difference
  std::string types;
  std::uint64_t set_mib = 0;  ///< weights and stored rows that were gone through in turn
  std::uint32_t samples = 0;
  double probe_gbps = 0;
  std::string backend;
  std::string note;  ///< "composed", "small set", why it did not run
};

[[nodiscard]] std::string ops_csv_header();
[[nodiscard]] std::string ops_csv_line(const OpRow& row);
/// Facts and rows as one JSON object.
[[nodiscard]] std::string ops_json(const RunFacts& facts, const std::vector<OpRow>& rows);
/// The columns that people look at first.
[[nodiscard]] std::string ops_table(const std::vector<OpRow>& rows);

}  // namespace ds4::bench
