// What the emulated device's compute capability allows, and what warps of a warpgroup may differ
// in.
#include "kernels/device/fragment.h"
#include "kernels/device/mbarrier.h"
#include "kernels/device/wgmma.h"
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {
namespace {

using emulation::EmulatedDevice;

YOLOCU_KERNEL multiply_e4m3() {
  device::FragmentSums<device::E4m3, 1, 1> sums;
  device::FragmentA<device::E4m3, 1> a;
  device::FragmentB<device::E4m3, 1> b;
  device::multiply_add(sums, a, b);
}

YOLOCU_KERNEL initialise_mbarrier() {
  if (device::thread_rank() == 0) device::mbarrier_init(device::shared_memory<uint64_t>(), 1);
}

YOLOCU_KERNEL store_matrix_of_zeros() {
  const uint32_t words[4] = {};
  device::store_matrix<4>(device::shared_memory<uint32_t>() + device::lane() * 4, words);
}

// One warp holds a fragment more than the others of its warpgroup: their registers differ, the
// instruction does not.
YOLOCU_KERNEL multiply_by_warpgroup() {
  const auto operand = device::shared_memory<device::Half>();
  for (int i = 0; i < 16; ++i) {
    operand.store(static_cast<int>(device::thread_rank()) * 16 + i, device::to_half(1.0f));
  }
  device::fence_async_proxy();
  device::sync_block();
  const auto multiply = [&] {
    device::WarpgroupSums<device::Half, 8> sums;
    const uint64_t slice = device::wgmma_operand(operand, 128, 256, Swizzle::kNone);
    device::wgmma_fence(sums);
    device::wgmma(sums, slice, slice, device::Accumulate::kReplace);
    device::wgmma_commit();
    device::wgmma_wait<0>(sums);
  };
  if (device::warp_rank() == 0) {
    device::FragmentSums<device::Half, 1, 1> more;
    more.fill(0);
    multiply();
  } else {
    multiply();
  }
}

YOLOCU_KERNEL do_nothing() {}

Status run_on(int capability, void (*kernel)(), const LaunchConfig& config) {
  EmulatedDevice device({.compute_capability = capability});
  return device.launch(named_kernel("kernel", kernel), config);
}

void expect_from(int lowest, const std::vector<int>& without, void (*kernel)(),
                 const LaunchConfig& config) {
  const Status status = run_on(lowest, kernel, config);
  EXPECT_TRUE(status.ok()) << status.message();
  for (const int capability : without) {
    const Status refused = run_on(capability, kernel, config);
    EXPECT_NE(refused.message().find("sm_" + std::to_string(capability)), std::string::npos)
        << refused.message();
  }
}

TEST(Capability, InstructionsAreThoseOfTheDevice) {
  expect_from(89, {80, 86}, multiply_e4m3, {.block = {32}});
  expect_from(90, {80, 89}, initialise_mbarrier, {.block = {32}, .shared_bytes = 8});
  expect_from(90, {80, 89}, store_matrix_of_zeros, {.block = {32}, .shared_bytes = 512});
  expect_from(90, {80, 100, 120}, multiply_by_warpgroup, {.block = {128}, .shared_bytes = 4096});
  expect_from(100, {80, 120}, do_nothing, {.grid = {2}, .block = {32}, .cluster = {2}});
}

}  // namespace
}  // namespace yolocu::testing
