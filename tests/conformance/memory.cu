// Loads and stores of every size with every hint.
#include "kernels/device/memory.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::LoadHint;
using device::StoreHint;

constexpr int64_t kMoveThreads = 64, kMoveBytes = 2048;

// out = in, of kMoveBytes: global, shared, and, in the other order of threads, global memory.
template <typename V, LoadHint kLoad, StoreHint kStore>
YOLOCU_KERNEL move_through_shared(GlobalPtr<uint8_t> out, GlobalPtr<const uint8_t> in) {
  const auto staged = device::shared_memory<uint8_t>(64);
  constexpr int64_t kSize = sizeof(V);
  for (int64_t i = device::thread_rank() * kSize; i < kMoveBytes; i += kMoveThreads * kSize) {
    staged.store<V>(i, in.load<V, kLoad>(i));
  }
  device::sync_block();
  for (int64_t i = device::thread_rank() * kSize; i < kMoveBytes; i += kMoveThreads * kSize) {
    const int64_t from = kMoveBytes - kSize - i;
    out.store<V, kStore>(from, staged.load<V>(from));
  }
}

Expectation expect_same(std::span<const uint8_t> input) {
  return {Bytes(input.begin(), input.end())};
}

template <typename V, LoadHint kLoad, StoreHint kStore>
Case move_case(const std::string& hints) {
  return kernel_case("memory/" + std::to_string(sizeof(V)) + "_bytes_" + hints,
                     move_through_shared<V, kLoad, kStore>,
                     {.block = {kMoveThreads}, .shared_bytes = 64 + kMoveBytes},
                     {kMoveBytes, kMoveBytes}, expect_same);
}

template <typename V>
void add_move_cases(Cases& cases) {
  cases.push_back(move_case<V, LoadHint::kNone, StoreHint::kNone>("plain"));
  cases.push_back(move_case<V, LoadHint::kReadOnly, StoreHint::kStreaming>("read_only"));
  cases.push_back(move_case<V, LoadHint::kReadOnlyL2Prefetch, StoreHint::kNone>("l2_prefetch"));
  cases.push_back(move_case<V, LoadHint::kStreaming, StoreHint::kStreaming>("streaming"));
}

void add_memory_cases(Cases& cases) {
  add_move_cases<uint8_t>(cases);
  add_move_cases<uint16_t>(cases);
  add_move_cases<float>(cases);
  add_move_cases<device::Words2>(cases);
  add_move_cases<device::Words4>(cases);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
