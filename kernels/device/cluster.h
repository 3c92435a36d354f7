// Clusters: blocks that run together and reach each other's shared memory. sm_90 and later. A
// launch without LaunchConfig::cluster has clusters of one block.
#pragma once

#include "kernels/device/memory.h"
#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// %cluster_ctarank, %cluster_nctarank, %cluster_ctaid, %cluster_nctaid.
YOLOCU_DEVICE uint32_t cluster_block_rank();
YOLOCU_DEVICE uint32_t cluster_block_count();
YOLOCU_DEVICE Index3 cluster_block_index();
YOLOCU_DEVICE Index3 cluster_extent();

// barrier.cluster.arrive.release.aligned and barrier.cluster.wait.acquire.aligned: all threads of
// all blocks; each thread arrives, then waits, once a round. Needed before the first access to
// another block's memory, and before a block leaves whose memory others still use.
YOLOCU_DEVICE void arrive_cluster(YOLOCU_SITE_ONLY);
YOLOCU_DEVICE void wait_cluster(YOLOCU_SITE_ONLY);
// Both.
YOLOCU_DEVICE void sync_cluster(YOLOCU_SITE_ONLY);

// Shared memory of block block_rank of the cluster, at the same offset as `own`.
template <typename T>
class RemoteSharedPtr {
 public:
  YOLOCU_DEVICE RemoteSharedPtr(SharedPtr<T> own, uint32_t block_rank)
      : own_(own), block_rank_(block_rank) {}

  // mapa, then ld.shared::cluster and st.shared::cluster.
  template <typename V = T>
  YOLOCU_DEVICE V load(int64_t index YOLOCU_SITE) const;
  template <typename V = T>
  YOLOCU_DEVICE void store(int64_t index, const std::type_identity_t<V>& value YOLOCU_SITE) const;

  YOLOCU_DEVICE SharedPtr<T> own() const { return own_; }
  YOLOCU_DEVICE uint32_t block_rank() const { return block_rank_; }

 private:
  SharedPtr<T> own_;
  uint32_t block_rank_;
};

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/cluster.cuh"
#else
#include "kernels/device/emulated/cluster.h"
#endif
