#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bench/ops/op_rows.hpp"
#include "bench/ops/ops_options.hpp"
#include "bench/probe.hpp"
#include "model/model_file.hpp"
#include "wrap/device.hpp"

namespace ds4::bench {

/// What the kernels run on and whom the times are told.
struct OpsRun {
  std::shared_ptr<plugins::Device> device;
  const ModelFile* model = nullptr;  ///< its header alone
  std::string backend;
  BandwidthProbe probe;  ///< no bandwidth: no ratios
  std::function<bool()> cancelled;
  std::function<Result<void>(const OpRow&)> on_row;
};

/// Times the kernels of the options: products of formats, then for each number of rows the products
/// of the model and the norm, and the ops of a step over one layer of each kind; those that have
/// more to do in a longer context at every one, the others at the first. A kernel that cannot run,
/// for lack of memory or on this device, is a row with a note. Errors: not_found when no kernel has
/// a name that is asked for; cancelled; what the device and `on_row` report.
Result<void> time_ops(const OpsOptions& options, const OpsRun& run);

}  // namespace ds4::bench
