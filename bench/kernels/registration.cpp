#include "bench/kernels/registration.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <functional>

#include "bench/kernels/card_roof.h"
#include "bench/kernels/case_counts.h"
#include "bench/kernels/case_memory.h"
#include "bench/kernels/launch_timer.h"
#if YOLOCU_HAS_CUBLASLT
#include "bench/kernels/product_case.h"
#endif

namespace yolocu::bench {
namespace {

using benchmark::Counter;
using benchmark::State;

// Launches of one graph at least: the clock of events ticks in half microseconds.
constexpr int64_t kLeastLaunches = 20;
// Graphs that are timed, and before them run for the clocks to settle.
constexpr int kGraphs = 20, kWarmUpGraphs = 3;

double ratio(int64_t a, int64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

// `amount` done in the time of each iteration.
Counter rate(double amount) {
  return Counter(amount, Counter::kIsIterationInvariantRate);
}

void set_rates(State& state, const DeviceInfo& device, const KernelCase& one) {
  const auto bytes = static_cast<double>(one.bytes);
  state.counters["layers"] = static_cast<double>(one.count);
  if (one.flops > 0) state.counters["TFLOP/s"] = rate(one.flops * 1e-12);
  state.counters["GB/s"] = rate(bytes * 1e-9);
  const auto card = find_card_roof(device.name);
  if (card && one.step.options.dtype != DType::kF32) {
    state.counters["roof_%"] = rate(100 * roof_us(*card, one.flops, bytes) * 1e-6);
  }
}

void time_launches(State& state, DeviceRuntime& runtime, int64_t copies,
                   const std::function<Status(int64_t, Stream)>& enqueue) {
  auto timer = LaunchTimer::create(runtime, std::max(copies, kLeastLaunches),
                                   [&](int64_t i, Stream s) { return enqueue(i % copies, s); });
  if (!timer.ok()) return state.SkipWithError(timer.status().message().c_str());
  for (int i = 0; i < kWarmUpGraphs; ++i) static_cast<void>(timer->run_us());
  for ([[maybe_unused]] auto _ : state) {
    const Result<double> us = timer->run_us();
    if (!us.ok()) return state.SkipWithError(us.status().message().c_str());
    state.SetIterationTime(*us * 1e-6);
  }
}

void time_case(State& state, const gpu::GpuDevice& device, const KernelCase& one) {
  const auto memory = CaseMemory::create(device, one, rotated_copies(one));
  if (!memory.ok()) return state.SkipWithError(memory.status().message().c_str());
  time_launches(state, *device.runtime, memory->copies(),
                [&](int64_t copy, Stream stream) { return memory->enqueue(copy, stream); });
  set_rates(state, device.runtime->info(), one);
}

void count(State& state, const gpu::GpuDevice& device, const KernelCase& one) {
  Result<CaseCounts> counted = unavailable("not run");
  for ([[maybe_unused]] auto _ : state) {
    counted = count_case(device, one);
    state.SetIterationTime(0);
  }
  if (!counted.ok()) return state.SkipWithError(counted.status().message().c_str());
  const emulation::Counters& c = counted->counters;
  const int64_t conflicts = c.shared_passes - c.shared_ideal_passes;
  const auto show = [&state](const char* name, auto value) {
    state.counters[name] =
        Counter(static_cast<double>(value), Counter::kDefaults, Counter::kIs1000);
  };
  show("layers", one.count);
  show("launches", counted->launches);
  show("blocks", c.blocks);
  show("threads", int64_t{counted->block.x} * counted->block.y * counted->block.z);
  show("shared_B", counted->shared_bytes);
  show("tensor_FLOP", c.tensor_flops);
  show("useful_FLOP", one.flops);
  show("read_B", c.global_read_bytes);
  show("written_B", c.global_written_bytes);
  show("ideal_B", one.bytes);
  show("sectors/request", ratio(c.global_sectors, c.global_requests));
  show("bytes/sector", ratio(c.global_read_bytes + c.global_written_bytes, c.global_sectors));
  show("bank_conflicts", conflicts);
  show("conflicts/pass", ratio(conflicts, c.shared_ideal_passes));
  state.SetLabel("counts, not times");
}

void register_one(const std::string& name, int iterations, std::function<void(State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))
      ->UseManualTime()
      ->Iterations(iterations)
      ->Unit(benchmark::kMicrosecond);
}

#if YOLOCU_HAS_CUBLASLT
void time_product(State& state, const gpu::GpuDevice& device, const KernelCase& one) {
  const auto memory = CaseMemory::create(device, one, rotated_copies(one));
  if (!memory.ok()) return state.SkipWithError(memory.status().message().c_str());
  const auto product = ProductCase::create(*device.runtime, one);
  if (!product.ok()) return state.SkipWithError(product.status().message().c_str());
  time_launches(state, *device.runtime, memory->copies(), [&](int64_t copy, Stream stream) {
    return product->enqueue(*memory, copy, stream);
  });
  set_rates(state, device.runtime->info(), one);
}

// One beside all variants of a problem.
void register_product(const gpu::GpuDevice& device, const KernelCase& one) {
  const std::string name =
      one.family + "/" + one.network + "/" + one.layer + "/" + one.shape + "/cublaslt";
  register_one(name, kGraphs, [&](State& state) { time_product(state, device, one); });
}
#endif

}  // namespace

void register_timings(const gpu::GpuDevice& device, const std::vector<KernelCase>& cases) {
  [[maybe_unused]] std::string last_shape;
  for (const KernelCase& one : cases) {
    register_one(one.name(), kGraphs, [&](State& state) { time_case(state, device, one); });
#if YOLOCU_HAS_CUBLASLT
    if (is_product(one) && one.shape != last_shape) register_product(device, one);
    last_shape = one.shape;
#endif
  }
}

void register_counts(const gpu::GpuDevice& device, const std::vector<KernelCase>& cases) {
  for (const KernelCase& one : cases) {
    register_one(one.name(), 1, [&](State& state) { count(state, device, one); });
  }
}

}  // namespace yolocu::bench
