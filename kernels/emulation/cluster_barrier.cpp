// The barrier of a cluster, and shared memory of its other blocks.
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/outside_use.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

// All threads arrived; on the device those that exited count as arrived too, here as missing. That
// the lanes of a warp come together (.aligned) is not checked. Those that wait go on, and know what
// all did.
void complete(Cluster& cluster, ClusterBarrier& barrier) {
  ++barrier.round;
  barrier.arrived = 0;
  cluster.clocks.release(barrier.completed);
  barrier.completed = barrier.incoming;
  barrier.incoming = nullptr;
  for (Thread* waiting : barrier.waiting) cluster.make_ready(*waiting);
  barrier.waiting.clear();
  ++cluster.counters.cluster_barriers;
}

std::byte* access_remote(AccessKind kind, uint32_t address, uint32_t block_rank, size_t size,
                         CallSite site) {
  Thread& thread = *running_thread;
  if (kind != AccessKind::kRead) wait_for_warp_ops(thread);
  thread.cluster->maybe_preempt(thread);
  Block& block = block_for_use(thread, block_rank, site);
  check_shared(thread, block, kind, address, size, site);
  return block.shared.data() + address;
}

}  // namespace

Index3 cluster_extent() {
  return running_thread->cluster->launch.cluster;
}

uint32_t cluster_block_rank() {
  return running_thread->block->cluster_rank;
}

void arrive_cluster(CallSite site) {
  Thread& thread = *running_thread;
  Cluster& cluster = *thread.cluster;
  wait_for_warp_ops(thread);
  ClusterBarrier& barrier = cluster.cluster_barrier;
  if (thread.cluster_arrivals > thread.cluster_rounds) {
    cluster.fail(thread, site, "a second arrival at the cluster's barrier without a wait between");
  }
  if (barrier.incoming == nullptr) barrier.incoming = cluster.clocks.create();
  release(*barrier.incoming, thread);
  ++thread.cluster_arrivals;
  if (++barrier.arrived == cluster.threads.size()) complete(cluster, barrier);
}

void wait_cluster(CallSite site) {
  Thread& thread = *running_thread;
  Cluster& cluster = *thread.cluster;
  ClusterBarrier& barrier = cluster.cluster_barrier;
  if (thread.cluster_arrivals == thread.cluster_rounds) {
    cluster.fail(thread, site, "wait at the cluster's barrier without an arrival before");
  }
  if (barrier.round < thread.cluster_arrivals) {
    barrier.waiting.push_back(&thread);
    cluster.park(thread, {WaitKind::kClusterBarrier, 0, site});
  }
  ++thread.cluster_rounds;
  learn(cluster.clocks, thread, *barrier.completed);
}

const std::byte* read_remote(uint32_t address, uint32_t block_rank, size_t size, CallSite site) {
  return access_remote(AccessKind::kRead, address, block_rank, size, site);
}

std::byte* write_remote(uint32_t address, uint32_t block_rank, size_t size, CallSite site) {
  return access_remote(AccessKind::kWrite, address, block_rank, size, site);
}

}  // namespace yolocu::emulation
