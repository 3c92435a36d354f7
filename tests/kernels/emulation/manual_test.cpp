// The example of kernels/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/device/memory.h"
#include "kernels/device/threads.h"
#include "kernels/emulation/launch.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// y[i] = x[n - 1 - i]. x, y [n] f32. One block of n threads, n * 4 bytes of shared memory.
YOLOCU_KERNEL reverse(device::GlobalPtr<float> y, device::GlobalPtr<const float> x) {
  const auto staged = device::shared_memory<float>();  // [n]
  const int64_t i = device::thread_rank(), n = device::thread_count();
  staged.store(i, x.load(i));
  device::sync_block();
  y.store(i, staged.load(n - 1 - i));
}

}  // namespace YOLOCU_TARGET

TEST(Reverse, TurnsRoundForEveryOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    emulation::EmulatedDevice device({.seed = seed});
    auto x = emulation::EmulatedBuffer<float>::create(device, 128, "x").value();
    auto y = emulation::EmulatedBuffer<float>::create(device, 128, "y").value();
    std::vector<float> values(128);
    std::iota(values.begin(), values.end(), 0.0f);
    ASSERT_TRUE(x.upload(values).ok());
    const Status status =
        device.launch(named_kernel("reverse", reverse), {.block = {128}, .shared_bytes = 512},
                      device::GlobalPtr(y.data()), device::GlobalPtr<const float>(x.data()));
    ASSERT_TRUE(status.ok()) << status.message();
    std::reverse(values.begin(), values.end());
    EXPECT_EQ(y.download().value(), values);
  }
}

}  // namespace yolocu
