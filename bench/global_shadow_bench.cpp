// What the checks of emulated global memory cost an access, bounds and all. Arguments: 0 for one
// host thread, 1 for the locking that several need; KiB of memory that is gone through.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/emulation/global_memory.h"

namespace yolocu {
namespace {

using emulation::GlobalAccess;
using emulation::GlobalMemory;
using emulation::GlobalShadow;

// One allocation in a launch that goes on until next_launch.
class Memory {
 public:
  explicit Memory(const benchmark::State& state)
      : sharing_(state.range(0) == 0 ? GlobalShadow::Sharing::kOneHostThread
                                     : GlobalShadow::Sharing::kManyHostThreads),
        bytes_(static_cast<size_t>(state.range(1)) * 1024),
        worker_(memory_) {
    const std::vector<char> zeros(bytes_);
    const auto size = static_cast<int64_t>(bytes_);
    data_ = static_cast<std::byte*>(memory_.allocate(size, "x").value());
    static_cast<void>(memory_.upload(data_, zeros.data(), size));
    begin();
  }
  ~Memory() { memory_.end_launch(); }

  void next_launch() {
    memory_.end_launch();
    begin();
  }

  // Goes through all memory; the access at each `step` bytes is one of thread i % threads.
  void sweep(benchmark::State& state, GlobalAccess kind, size_t step, uint32_t threads) {
    for (size_t at = 0; at < bytes_; at += step) {
      by.thread = static_cast<uint32_t>(at / step % threads);
      const std::string what =
          memory_.check(worker_, by, {kind, data_ + at, step, step, CallSite::current()});
      if (!what.empty()) state.SkipWithError(what.c_str());
    }
    accesses_ += bytes_ / step;
  }
  // Seconds an access.
  void report(benchmark::State& state) const {
    state.counters["access"] = benchmark::Counter(
        static_cast<double>(accesses_), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  }

  emulation::GlobalAccessor by;

 private:
  void begin() {
    const auto launch = memory_.begin_launch({}, sharing_);
    by.epoch = by.first_unfinished = by.first_in_chain = launch.epoch;
    by.known = &known_;
    by.sites = &worker_.sites();
    by.clock = 1;
  }

  GlobalMemory memory_;
  GlobalShadow::Sharing sharing_;
  size_t bytes_;
  GlobalMemory::Worker worker_;
  std::byte* data_ = nullptr;
  emulation::Clock known_ = [] {
    emulation::Clock clock;
    clock.known.resize(256);
    return clock;
  }();
  size_t accesses_ = 0;
};

// The first read of each 16 bytes in a launch.
void read_first(benchmark::State& state) {
  Memory memory(state);
  for (auto _ : state) {
    memory.sweep(state, GlobalAccess::kRead, 16, 256);
    state.PauseTiming();
    memory.next_launch();
    state.ResumeTiming();
  }
  memory.report(state);
}

// The same threads read again, after barriers.
void read_again(benchmark::State& state) {
  Memory memory(state);
  for (auto _ : state) {
    memory.sweep(state, GlobalAccess::kRead, 16, 256);
    ++memory.by.clock;
  }
  memory.report(state);
}

// Other clusters have read before: weights.
void read_by_many_clusters(benchmark::State& state) {
  Memory memory(state);
  for (auto _ : state) {
    ++memory.by.cluster;
    memory.sweep(state, GlobalAccess::kRead, 16, 256);
  }
  memory.report(state);
}

// Threads that write state.range(2) bytes each.
void write_first(benchmark::State& state) {
  Memory memory(state);
  for (auto _ : state) {
    memory.sweep(state, GlobalAccess::kWrite, static_cast<size_t>(state.range(2)), 256);
    state.PauseTiming();
    memory.next_launch();
    state.ResumeTiming();
  }
  memory.report(state);
}

BENCHMARK(read_first)->ArgsProduct({{0, 1}, {64, 1024}});
BENCHMARK(read_again)->ArgsProduct({{0, 1}, {64, 1024}});
BENCHMARK(read_by_many_clusters)->ArgsProduct({{0, 1}, {64, 1024}});
BENCHMARK(write_first)->ArgsProduct({{0, 1}, {64, 1024}, {16, 4, 2}});

}  // namespace
}  // namespace yolocu

BENCHMARK_MAIN();
