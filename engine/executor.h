// Runs one model at one batch and size on one device. The plan is made at creation: shapes, views,
// arena, rearranged weights. run() allocates nothing on the cpu, cuda and emulated
// devices; the reference device allocates every value.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/memory_planner.h"
#include "engine/plan_step.h"
#include "engine/value_observer.h"
#include "kernels/launch_log.h"
#include "weights/format/model.h"
#include "yolocu/options.h"
#include "yolocu/status.h"

namespace yolocu {

struct ExecutorOptions {
  int64_t batch = 1;
  int64_t height = 0;  // 0: the model's default; otherwise a multiple of graph_stride()
  int64_t width = 0;
  Precision precision = Precision::kAuto;
  // Of the cpu device, and of the host on the emulated one; 0: all that this process may use, which
  // is also the most.
  int threads = 0;
  // The cpu device only: rows of output() without a score (or objectness) above it may be zeros.
  // Negative: every row is computed.
  float least_score = -1.0f;
  LaunchRecords launches = LaunchRecords::kDrop;      // of kernels: see take_launches()
  InputLifetime input = InputLifetime::kUntilRead;    // kKept: for time_runs() on cuda and emulated
  std::shared_ptr<ValueObserver> observer = nullptr;  // of the cpu device in fp32 only
};

// `options` with the batch, height and width of `shape`.
inline ExecutorOptions with_shape_of(ExecutorOptions options, const ExecutorOptions& shape) {
  options.batch = shape.batch;
  options.height = shape.height;
  options.width = shape.width;
  return options;
}

// What a step of the plan took: the median of several runs.
struct StepTime {
  std::string node;
  std::string implementation;
  double median_ms = 0;
  double flops = 0;  // of convolutions, by their definition: 2 x multiply-adds, without padding
};

// A context: owns its activations, shares the model. Not thread-safe; make one per thread.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual int64_t batch() const = 0;
  virtual int64_t height() const = 0;
  virtual int64_t width() const = 0;

  // [batch, height, width, 3] f32, RGB in 0..1. Fill it, then run(). Contents are undefined after.
  virtual std::span<float> input() = 0;

  virtual Status run() = 0;

  // [batch, anchors, row] f32 of the last run(); see DecodeDflOp and DecodeAnchorOp.
  virtual std::span<const float> output() const = 0;
  virtual int64_t anchors() const = 0;
  virtual int64_t row() const = 0;

  virtual std::vector<PlanStep> plan() const = 0;
  virtual int64_t arena_bytes() const = 0;

  // Another context of the same model and device, for a batch and size of its own: for another
  // thread, or another shape. On the cuda and emulated devices all of them use one copy of the
  // weights, and contexts of one shape one plan. May run while this one runs. Of the options,
  // batch, height and width count, the rest is this one's. Errors of create_executor.
  virtual Result<std::unique_ptr<Executor>> share(const ExecutorOptions& options) const = 0;

  // Milliseconds of each of `iterations` >= 1 runs on what input() holds, after `warmup` >= 0 that
  // are not told. Here: of run(), by the host's clock. cuda and emulated: between events of the
  // device around each launch of the graph, one launch right after the other, the input resident,
  // no copies; kInvalidArgument without InputLifetime::kKept. On the emulated device that is the
  // host's time, too. output() is that of the last one.
  virtual Result<std::vector<double>> time_runs(int64_t warmup, int64_t iterations);

  // The cpu device: each step of the plan, in order, in `iterations` >= 1 runs after `warmup` >= 0.
  // kUnsupported on others.
  virtual Result<std::vector<StepTime>> time_steps(int64_t warmup, int64_t iterations);

  // With ExecutorOptions::launches, on the cuda and emulated devices: what was launched since the
  // last call. On cuda a captured launch is told once, however often the graph runs.
  virtual std::vector<LaunchRecord> take_launches() { return {}; }
};

// kAuto: the fastest device that this build has and this machine can use: cuda, cpu, reference.
Device resolve_device(Device device);

// kAuto: what the device computes in unless told: fp16 on cuda and emulated, fp32 on the others.
Precision resolve_precision(Device device, Precision precision);

// What the device does fast and detections hardly show (README.md of apps has the differences):
// fp16 on cuda and emulated, bf16 on processors with AVX-512 BF16, otherwise fp32.
Precision fastest_precision(Device device);

// Fills in the default size and checks everything that create_executor does for this device but
// whether it is there.
Status resolve_size(const Model& model, Device device, ExecutorOptions& options);

// A quantized model runs in floating point, too. kUnsupported: the device is not in this build, or
// cannot run the precision, or has no observers.
// kInvalidArgument: batch < 1, or a size that is not a positive multiple of the stride (says
// which). kResourceExhausted: a size whose activations would not fit in memory.
Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model, Device device,
                                                  const ExecutorOptions& options);

// The devices, each behind create_executor, which has already checked batch and size.
Result<std::unique_ptr<Executor>> create_reference_executor(std::shared_ptr<const Model> model,
                                                            const ExecutorOptions& options);
Result<std::unique_ptr<Executor>> create_cpu_executor(std::shared_ptr<const Model> model,
                                                      const ExecutorOptions& options);

}  // namespace yolocu
