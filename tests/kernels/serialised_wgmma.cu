// A chain of wgmma; with YOLOCU_TOUCH_SUMS true, sums are read while they are in flight, and ptxas
// serialises. Only kernel_report_test.py compiles this.
#include "kernels/device/threads.h"
#include "kernels/device/wgmma.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

YOLOCU_KERNEL __launch_bounds__(128, 1) multiply_chain(device::GlobalPtr<float> out, int steps) {
  const auto tiles = device::shared_memory<device::Half>();
  const uint64_t a = device::wgmma_operand(tiles, 16, 1024, Swizzle::k128B);
  const uint64_t b = device::wgmma_operand(tiles + 4096, 16, 1024, Swizzle::k128B);
  device::WarpgroupSums<device::Half, 8> sums;
  for (int step = 0; step < steps; ++step) {
    device::wgmma_fence(sums);
    device::wgmma(sums, a, b, step == 0 ? device::Accumulate::kReplace : device::Accumulate::kAdd);
    device::wgmma_commit();
    if (YOLOCU_TOUCH_SUMS) out.store(device::thread_rank(), sums.get(0));
    device::wgmma_wait<0>(sums);
  }
  YOLOCU_UNROLL
  for (int i = 0; i < 4; ++i) out.store(i * 128 + device::thread_rank(), sums.get(i));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
