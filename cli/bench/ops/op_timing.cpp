#include "bench/ops/op_timing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "bench/processor_time.hpp"
#include "ops/views.hpp"

namespace ds4::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostRuns = 20;     // of one submission
constexpr double kLongSubmission = 0.05;  // seconds; longer ones need no company
constexpr std::uint32_t kLeastSamples = 5;
constexpr std::uint32_t kMostSamples = 400;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Sample {
  double wall = 0;
  double processor = 0;
};

class Runner {
 public:
  Runner(plugins::Device& device, const ds4_view& step) : device_(device), step_(step) {}

  Result<void> open() {
    DS4_TRY(stream_, device_.create_stream());
    return {};
  }

  Result<Sample> run(const std::vector<const ds4_op*>& ops) {
    DS4_CHECK(reserve(ops));
    ds4_submission submission{};
    submission.count = static_cast<std::uint32_t>(ops.size());
    submission.ops = ops.data();
    submission.step = step_;
    if (workspace_.bytes() != 0) submission.workspace = workspace_view_;
    const double processor = thread_seconds();
    const auto begin = Clock::now();
    DS4_CHECK(stream_.enqueue(submission));
    DS4_CHECK(stream_.sync());
    const std::chrono::duration<double> wall = Clock::now() - begin;
    return Sample{wall.count(), thread_seconds() - processor};
  }

 private:
  Result<void> reserve(const std::vector<const ds4_op*>& ops) {
    DS4_TRY(const std::uint64_t bytes, device_.workspace_size(ops));
    if (bytes <= workspace_.bytes()) return {};
    constexpr std::uint64_t kLine = 4096;
    const std::uint64_t lines = (bytes + kLine - 1) / kLine;
    DS4_TRY(workspace_, device_.create_buffer(lines * kLine, device_.info().memory[0].kind,
                                              DS4_USAGE_ACTIVATION));
    workspace_view_ =
        make_view(workspace_.handle(), 0, DS4_DTYPE_F32,
                  {static_cast<std::uint32_t>(lines), static_cast<std::uint32_t>(kLine / 4)});
    return {};
  }

  plugins::Device& device_;
  const ds4_view& step_;
  plugins::Stream stream_;
  plugins::Buffer workspace_;
  ds4_view workspace_view_{};
};

}  // namespace

Result<OpTiming> time_kernel(plugins::Device& device, Rotation& rotation, const ds4_view& step,
                             double seconds, const std::function<bool()>& cancelled) {
  Runner runner(device, step);
  DS4_CHECK(runner.open());
  // The first run pays for pages and code that are met for the first time.
  DS4_TRY([[maybe_unused]] const Sample first, runner.run(rotation.next(1)));
  DS4_TRY(const Sample one, runner.run(rotation.next(1)));
  const double fitting = std::ceil(kLongSubmission / std::max(one.wall, 1e-9));
  const auto runs =
      static_cast<std::size_t>(std::clamp(fitting, 1.0, static_cast<double>(kMostRuns)));
  std::vector<double> wall;
  std::vector<double> processor;
  const auto begin = Clock::now();
  const auto is_over = [&] {
    if (wall.size() < kLeastSamples) return false;
    return wall.size() >= kMostSamples ||
           std::chrono::duration<double>(Clock::now() - begin).count() >= seconds;
  };
  while (!is_over()) {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "interrupted");
    DS4_TRY(const Sample sample, runner.run(rotation.next(runs)));
    wall.push_back(sample.wall / static_cast<double>(runs));
    processor.push_back(sample.processor / static_cast<double>(runs));
  }
  OpTiming timing;
  timing.samples = static_cast<std::uint32_t>(wall.size());
  timing.us_median = 1e6 * median(wall);
  if (device.info().kind == DS4_DEVICE_KIND_CPU) timing.us_processor = 1e6 * median(processor);
  return timing;
}

}  // namespace ds4::bench
