// Kernels that make one bulk copy, and its expected result from the definition of a box.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/device/cluster.h"
#include "kernels/device/fence.h"
#include "kernels/device/tensor_map.h"
#include "kernels/emulation/tensor_walk.h"
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {

struct CopyArguments {
  device::TensorMap map;
  std::array<int32_t, kMapMaxRank> at = {};
  std::array<int32_t, kMapMaxRank - 2> tap = {};
  uint32_t address = 1024;    // of the box in shared memory
  uint32_t bytes = 0;         // that the barrier expects
  uint32_t shared_bytes = 0;  // of the block; its end is free
  uint16_t block_mask = 0;    // 0: no multicast
};

template <int kRank>
device::BoxCoordinates<kRank> coordinates(const std::array<int32_t, kMapMaxRank>& at) {
  device::BoxCoordinates<kRank> box;
  for (size_t i = 0; i < kRank; ++i) box.at[i] = at[i];
  return box;
}

// Fills shared memory from `from` to its end with 0xCD, fenced. The object at 0 takes one arrival.
inline void prepare_for_copy(const CopyArguments& arguments) {
  const auto words = device::shared_memory<uint32_t>();
  for (uint32_t i = 4 + device::thread_rank(); i < arguments.shared_bytes / 4;
       i += device::thread_count()) {
    words.store(i, 0xCDCDCDCDu);
  }
  if (device::thread_rank() == 0) {
    device::mbarrier_init(device::shared_memory<uint64_t>(), 1);
    device::fence_mbarrier_init();
  }
  device::fence_async_proxy();
  device::sync_cluster();
}

// out [blocks, shared_bytes / 4]: all of shared memory but the first 16 bytes.
inline void copy_out(device::GlobalPtr<uint32_t> out, const CopyArguments& arguments) {
  const auto words = device::shared_memory<uint32_t>();
  const uint32_t count = arguments.shared_bytes / 4;
  for (uint32_t i = 4 + device::thread_rank(); i < count; i += device::thread_count()) {
    out.store(int64_t{device::block_index().x} * count + i, words.load(i));
  }
}

template <int kRank>
YOLOCU_KERNEL load_one_box(device::GlobalPtr<uint32_t> out,
                           YOLOCU_KERNEL_PARAM CopyArguments arguments) {
  prepare_for_copy(arguments);
  const auto barrier = device::shared_memory<uint64_t>();
  const auto dst = device::shared_memory<uint32_t>(arguments.address);
  if (device::thread_rank() == 0) {
    device::prefetch_map(arguments.map);
    device::mbarrier_arrive_expect(barrier, arguments.bytes);
    const auto at = coordinates<kRank>(arguments.at);
    if (arguments.block_mask == 0) {
      device::load_box(dst, arguments.map, barrier, at);
    } else if (arguments.block_mask >> device::cluster_block_rank() == 1) {  // the last of them
      device::load_box_multicast(dst, arguments.map, barrier, at, arguments.block_mask);
    }
  }
  const bool gets_bytes =
      arguments.block_mask == 0 || (arguments.block_mask >> device::cluster_block_rank() & 1) != 0;
  if (gets_bytes) device::mbarrier_wait(barrier, 0);
  copy_out(out, arguments);
  device::sync_cluster();
}

template <int kRank>
YOLOCU_KERNEL load_one_im2col(device::GlobalPtr<uint32_t> out,
                              YOLOCU_KERNEL_PARAM CopyArguments arguments) {
  prepare_for_copy(arguments);
  const auto barrier = device::shared_memory<uint64_t>();
  if (device::thread_rank() == 0) {
    device::BoxCoordinates<kRank - 2> tap;
    for (size_t i = 0; i + 2 < kRank; ++i) tap.at[i] = arguments.tap[i];
    device::load_im2col(device::shared_memory<uint32_t>(arguments.address), arguments.map, barrier,
                        coordinates<kRank>(arguments.at), tap);
    device::mbarrier_arrive_expect(barrier, arguments.bytes);  // after the copy: below zero
  }
  device::mbarrier_wait(barrier, 0);
  copy_out(out, arguments);
}

}  // namespace yolocu::testing
