// Programmatic dependent launch: a chain of kernels, each of which may begin before the one before
// has ended.
#include <algorithm>

#include "kernels/device/dependent_launch.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr int64_t kChainBlocks = 6, kChainThreads = 64, kChainKernels = 4;
constexpr int64_t kChainCount = kChainBlocks * kChainThreads;

// out [count] = 3 * previous, reversed, + 1: what other blocks of the kernel before wrote.
YOLOCU_KERNEL follow(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> previous) {
  const int64_t i = device::block_index().x * kChainThreads + device::thread_rank();
  device::allow_next_grid();
  device::wait_for_prior_grids();
  out.store(i, 3 * previous.load(kChainCount - 1 - i) + 1);
}

Expectation expect_chain(std::span<const uint8_t> input) {
  auto row = values_of<uint32_t>(input);
  std::vector<uint32_t> out;
  for (size_t kernel = 0; kernel < kChainKernels; ++kernel) {
    std::reverse(row.begin(), row.end());
    for (uint32_t& value : row) value = 3 * value + 1;
    out.insert(out.end(), row.begin(), row.end());
  }
  return {bytes_of(out)};
}

// in [count]; out [4, count]: a row of each kernel.
Status launch_chain(const CaseMemory& memory) {
  for (int64_t kernel = 0; kernel < kChainKernels; ++kernel) {
    const auto previous = kernel == 0
                              ? input_of<uint32_t>(memory)
                              : GlobalPtr<const uint32_t>(output_of<uint32_t>(memory).get() +
                                                          (kernel - 1) * kChainCount);
    YOLOCU_RETURN_IF_ERROR(
        launch(named_kernel("follow", follow),
               {.grid = {kChainBlocks},
                .block = {kChainThreads},
                .start = kernel == 0 ? StartRule::kAfterPrevious : StartRule::kOverlapPrevious,
                .stream = memory.stream},
               output_of<uint32_t>(memory) + kernel * kChainCount, previous));
  }
  return {};
}

void add_dependent_launch_cases(Cases& cases) {
  cases.push_back({.name = "dependent_launch/chain",
                   .needs = Needs::kSm90,
                   .output_bytes = kChainKernels * kChainCount * 4,
                   .input = random_input(kChainCount * 4),
                   .run = launch_chain,
                   .expect = expect_chain});
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
