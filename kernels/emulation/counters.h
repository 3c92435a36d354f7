// What a profiler would count in one launch.
#pragma once

#include <cstdint>

namespace yolocu::emulation {

struct Counters {
  int64_t blocks = 0;
  int64_t block_barriers = 0;     // completed, named ones included
  int64_t cluster_barriers = 0;   // completed
  int64_t mbarrier_phases = 0;    // completed
  int64_t warp_collectives = 0;   // sync_warp, shuffles, votes
  int64_t global_read_bytes = 0;  // that threads asked for; cp.async and boxes included
  int64_t global_written_bytes = 0;
  int64_t async_copied_bytes = 0;  // of those, by cp.async; zero fill excluded
  int64_t tensor_flops = 0;        // of matrix instructions, two a multiply-add
  int64_t bulk_copied_bytes = 0;   // of boxes, what lies outside the tensor included
  // Of one instruction of a warp; only with Counting::kRequests.
  int64_t global_requests = 0;
  int64_t global_sectors = 0;  // distinct aligned 32-byte pieces
  int64_t shared_requests = 0;
  int64_t shared_passes = 0;  // passes over the 32 banks; shared_ideal_passes without conflicts
  int64_t shared_ideal_passes = 0;

  void add(const Counters& other);
};

}  // namespace yolocu::emulation
