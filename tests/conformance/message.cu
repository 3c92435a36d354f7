// Blocks that pass a message on: data, then a flag that releases it; whoever acquires the flag sees
// the data.
#include "kernels/device/atomics.h"
#include "kernels/device/fence.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::Order;

constexpr int64_t kMessageBlocks = 4, kMessageThreads = 64;
constexpr int64_t kMessageWords = kMessageBlocks * kMessageThreads;

// How a flag is set and waited for.
enum class Passing : uint8_t { kLoadStore, kAtomics, kFences };

YOLOCU_KERNEL clear_flags(GlobalPtr<uint32_t> out) {
  out.store(kMessageWords + device::thread_rank(), 0);
}

template <Passing kPassing>
YOLOCU_DEVICE void set_flag(GlobalPtr<uint32_t> flags, int64_t i) {
  if constexpr (kPassing == Passing::kLoadStore) {
    device::store_release(flags, i, 1);
  } else if constexpr (kPassing == Passing::kAtomics) {
    device::atomic_or<Order::kRelease>(flags, i, 1);
  } else {
    device::fence_device();
    device::atomic_exchange(flags, i, 1);
  }
}

template <Passing kPassing>
YOLOCU_DEVICE void wait_for_flag(GlobalPtr<uint32_t> flags, int64_t i) {
  if constexpr (kPassing == Passing::kLoadStore) {
    while (device::load_acquire(flags, i) == 0) {
    }
  } else if constexpr (kPassing == Passing::kAtomics) {
    while (device::atomic_compare_exchange<Order::kAcquire>(flags, i, 1, 2) == 0) {
    }
  } else {
    while (device::atomic_add(flags, i, 0) == 0) {
    }
    device::fence_device();
  }
}

// in [64]; out [4, 64] words, then 4 flags. Block 0 writes row 0; block b reads row b - 1, once its
// flag is set, turns it by one thread, adds b and writes row b. In the end every flag is set.
template <Passing kPassing>
YOLOCU_KERNEL pass_on(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const int64_t thread = device::thread_rank(), block = device::block_index().x;
  const GlobalPtr<uint32_t> flags = out + kMessageWords;
  uint32_t value = in.load(thread);
  if (block > 0) {
    if (thread == 0) wait_for_flag<kPassing>(flags, block - 1);
    device::sync_block();
    value = out.load((block - 1) * kMessageThreads + (thread + 1) % kMessageThreads) +
            static_cast<uint32_t>(block);
  }
  out.store(block * kMessageThreads + thread, value);
  device::sync_block();
  if (thread == 0) set_flag<kPassing>(flags, block);
}

Expectation expect_messages(std::span<const uint8_t> input, Passing passing) {
  auto row = values_of<uint32_t>(input), out = row;
  for (uint32_t block = 1; block < kMessageBlocks; ++block) {
    const auto before = row;
    for (size_t i = 0; i < row.size(); ++i) row[i] = before[(i + 1) % row.size()] + block;
    out.insert(out.end(), row.begin(), row.end());
  }
  for (size_t block = 0; block < kMessageBlocks; ++block) {
    out.push_back(passing == Passing::kAtomics && block + 1 < kMessageBlocks ? 2 : 1);
  }
  return {bytes_of(out)};
}

template <Passing kPassing>
Case message_case(const std::string& name) {
  return {
      .name = "message/" + name,
      .output_bytes = (kMessageWords + kMessageBlocks) * 4,
      .input = random_input(kMessageThreads * 4),
      .run =
          [](const CaseMemory& m) {
            YOLOCU_RETURN_IF_ERROR(launch(named_kernel("clear_flags", clear_flags),
                                          {.block = {kMessageBlocks}, .stream = m.stream},
                                          output_of<uint32_t>(m)));
            return launch(
                named_kernel("pass_on", pass_on<kPassing>),
                {.grid = {kMessageBlocks}, .block = {kMessageThreads}, .stream = m.stream},
                output_of<uint32_t>(m), input_of<uint32_t>(m));
          },
      .expect = [](std::span<const uint8_t> input) { return expect_messages(input, kPassing); }};
}

void add_message_cases(Cases& cases) {
  cases.push_back(message_case<Passing::kLoadStore>("release_and_acquire"));
  cases.push_back(message_case<Passing::kAtomics>("ordered_atomics"));
  cases.push_back(message_case<Passing::kFences>("fences_and_relaxed_atomics"));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
