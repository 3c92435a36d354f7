// mbarrier without copies: arrivals, phases, parities, objects that are used again.
#include "kernels/device/mbarrier.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr int64_t kPhaseThreads = 96, kPhases = 5;

// in [5, 96], out [5, 96]: each phase, threads exchange a row through shared memory; two barriers
// of all threads take turns. Row p is turned by p + 1 threads.
YOLOCU_KERNEL exchange_in_phases(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const auto written = device::shared_memory<uint64_t>(), read = device::shared_memory<uint64_t>(8);
  const auto row = device::shared_memory<uint32_t>(16);
  const int64_t thread = device::thread_rank();
  if (thread == 0) {
    device::mbarrier_init(written, kPhaseThreads);
    device::mbarrier_init(read, kPhaseThreads);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  for (int64_t phase = 0; phase < kPhases; ++phase) {
    const auto parity = static_cast<uint32_t>(phase % 2);
    device::mbarrier_wait(read, parity ^ 1);  // a fresh object passes
    row.store(thread, in.load(phase * kPhaseThreads + thread));
    device::mbarrier_arrive(written);
    device::mbarrier_wait(written, parity);
    out.store(phase * kPhaseThreads + thread, row.load((thread + phase + 1) % kPhaseThreads));
    device::mbarrier_arrive(read);
  }
}

Expectation expect_phases(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  std::vector<uint32_t> out;
  for (size_t phase = 0; phase < kPhases; ++phase) {
    for (size_t i = 0; i < kPhaseThreads; ++i) {
      out.push_back(in[phase * kPhaseThreads + (i + phase + 1) % kPhaseThreads]);
    }
  }
  return {bytes_of(out)};
}

// out [10]: what tests of both parities say while one thread arrives at an object of two arrivals.
// Then the object is taken back, and made again for one arrival.
YOLOCU_KERNEL test_parities(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t>) {
  const auto barrier = device::shared_memory<uint64_t>(24);
  int at = 0;
  const auto note = [&](uint32_t parity) {
    out.store(at++, static_cast<uint32_t>(device::mbarrier_test(barrier, parity)));
  };
  device::mbarrier_init(barrier, 2);
  device::fence_mbarrier_init();
  note(0);
  note(1);
  device::mbarrier_arrive(barrier);
  note(0);
  device::mbarrier_arrive(barrier);
  note(0);
  note(1);
  device::mbarrier_arrive(barrier);
  note(1);
  device::mbarrier_arrive(barrier);
  note(1);
  device::mbarrier_invalidate(barrier);
  device::mbarrier_init(barrier, 1);
  device::fence_mbarrier_init();
  note(0);
  device::mbarrier_arrive(barrier);
  note(0);
  device::mbarrier_wait(barrier, 0);
  note(1);
}

Expectation expect_parities(std::span<const uint8_t>) {
  return {bytes_of(std::vector<uint32_t>{0, 1, 0, 1, 0, 0, 1, 0, 1, 0})};
}

void add_mbarrier_cases(Cases& cases) {
  cases.push_back(with_needs(
      Needs::kSm90,
      kernel_case("mbarrier/phases", exchange_in_phases,
                  {.block = {kPhaseThreads}, .shared_bytes = 16 + kPhaseThreads * 4},
                  {kPhases * kPhaseThreads * 4, kPhases * kPhaseThreads * 4}, expect_phases)));
  cases.push_back(with_needs(
      Needs::kSm90, kernel_case("mbarrier/parities", test_parities,
                                {.block = {1}, .shared_bytes = 32}, {0, 40}, expect_parities)));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
