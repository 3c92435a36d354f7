// TMA: bulk copies of boxes of a tensor between global and shared memory, made by one thread and
// described by a tensor map. sm_90 and later. Source: PTX ISA 9.0, 9.7.9.25-27 and 5.5.
//
// A kernel takes `YOLOCU_KERNEL_PARAM TensorMap map`. Boxes lie in shared memory innermost
// dimension first, rows dense, or one span apart under a swizzle; destinations and sources are
// aligned to the swizzle's pattern: 128 bytes for kNone, 256, 512, 1024 for 32B, 64B, 128B.
// Elements outside the tensor are filled on loads, dropped on stores, and count as bytes either
// way. But stores move chunks of 16 bytes: where the innermost dimension is no multiple of them,
// the gap behind a row is written, too, and behind the last row what follows the tensor.
#pragma once

#include "kernels/device/mbarrier.h"
#include "kernels/device/memory.h"
#include "kernels/device/target.h"
#include "kernels/tensor_map_spec.h"

#if defined(__CUDACC__)
#include <cuda.h>
#endif

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

#if defined(__CUDACC__)
struct TensorMap {
  CUtensorMap map;  // aligned as the hardware asks: 64 bytes, with CUDA 13 128
};
#else
struct alignas(64) TensorMap {
  TensorMapSpec spec;
};
#endif

// Host: a map for kernels of this target. Errors of check_tensor_map; kUnavailable or kUnsupported
// if the driver has none.
Result<TensorMap> make_tensor_map(const TensorMapSpec& spec);

// Coordinates, innermost first, in elements; may lie outside the tensor. The first one is a
// multiple of 16 bytes (whether the hardware needs that is not known).
template <int kRank>
struct BoxCoordinates {
  int32_t at[kRank];
};

// prefetch.tensormap.
YOLOCU_DEVICE void prefetch_map(const TensorMap& map YOLOCU_SITE);

// cp.async.bulk.tensor.{kRank}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes: the box
// at `at` to dst; its bytes, fill included, complete at `barrier`. The copy may come at any time
// until that phase; it overwrites what ordinary accesses ordered before it (fence_async_proxy) left
// there.
template <int kRank, typename T>
YOLOCU_DEVICE void load_box(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                            const BoxCoordinates<kRank>& at YOLOCU_SITE);
// The same with .multicast::cluster: to the same offset of every block of the cluster whose bit is
// set in block_mask, each of which gets the bytes at its own barrier of that offset.
template <int kRank, typename T>
YOLOCU_DEVICE void load_box_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                                      const BoxCoordinates<kRank>& at,
                                      uint16_t block_mask YOLOCU_SITE);

// cp.async.bulk.tensor.{kRank}d...im2col: `pixels` base pixels from (c, w, h, n) on, each displaced
// by the filter tap. kRank 3 (c, w, n; tap w), 4 (c, w, h, n; taps w, h) or 5. The first base pixel
// must lie in the map's box; taps are in 0..255 (rank 4), 0..65535 (3), 0..31 (5). A base pixel
// that leaves the box at its right end goes on at the next row, then at the next image.
template <int kRank, typename T>
YOLOCU_DEVICE void load_im2col(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                               const BoxCoordinates<kRank>& at,
                               const BoxCoordinates<kRank - 2>& tap YOLOCU_SITE);
template <int kRank, typename T>
YOLOCU_DEVICE void load_im2col_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                                         const BoxCoordinates<kRank>& at,
                                         const BoxCoordinates<kRank - 2>& tap,
                                         uint16_t block_mask YOLOCU_SITE);

// cp.async.bulk.tensor.{kRank}d.global.shared::cta.tile.bulk_group: src to the box at `at` (no
// negative coordinate). Writers of src fence_async_proxy, then a barrier, then one thread stores.
template <int kRank, typename T>
YOLOCU_DEVICE void store_box(const TensorMap& map, const BoxCoordinates<kRank>& at,
                             SharedPtr<T> src YOLOCU_SITE);
// cp.async.bulk.commit_group: closes a group of this thread's store_box.
YOLOCU_DEVICE void commit_stores(YOLOCU_SITE_ONLY);
// cp.async.bulk.wait_group.read kPending: all but the newest groups have read shared memory, which
// may be overwritten. Needed before the block leaves.
template <int kPending>
YOLOCU_DEVICE void wait_stores_read(YOLOCU_SITE_ONLY);
// cp.async.bulk.wait_group kPending: their writes are visible to this thread as well.
template <int kPending>
YOLOCU_DEVICE void wait_stores(YOLOCU_SITE_ONLY);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/tensor_map.cuh"
#else
#include "kernels/device/emulated/tensor_map.h"
#endif
