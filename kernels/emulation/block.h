// One block: its shared memory and barriers. Its threads and their order belong to the cluster.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/emulation/mbarrier.h"
#include "kernels/emulation/outside_use.h"
#include "kernels/emulation/shadow.h"
#include "kernels/emulation/thread.h"
#include "kernels/emulation/wgmma.h"

namespace yolocu::emulation {

// A named barrier of a block; number 0 is also sync_block's.
struct Barrier {
  int expected = 0;
  int predicates = 0, result = 0;
  bool is_block_barrier = false;
  CallSite site = {};
  int arrived = 0;
  std::vector<uint32_t> came;  // lanes, a word for each warp
  std::vector<Thread*> waiting;
  Clock* released = nullptr;  // what all who came knew
  Clock* joined = nullptr;    // the last vector that went into it; threads share them
};

struct Block {
  Block(size_t shared_bytes, const SiteTable& sites)
      : shared(shared_bytes), shadow(shared_bytes, sites) {}

  Index3 index;
  uint32_t cluster_rank = 0;
  uint32_t first_thread = 0, thread_count = 0;  // of the cluster's threads
  uint32_t first_warp = 0, warp_count = 0;      // of the cluster's warps
  std::vector<std::byte> shared;
  SharedShadow shadow;
  std::array<Barrier, 16> barriers;
  MBarriers mbarriers;
  std::vector<WarpgroupLog> warpgroups;
  OutsideUses outside_uses;
  uint32_t exited = 0;  // threads
};

// The barrier of a cluster. A thread may arrive at the next round while others have not left this
// one, so rounds are counted.
struct ClusterBarrier {
  uint64_t round = 0;  // completed
  size_t arrived = 0;
  std::vector<Thread*> waiting;
  Clock* incoming = nullptr;
  Clock* completed = nullptr;
};

}  // namespace yolocu::emulation
