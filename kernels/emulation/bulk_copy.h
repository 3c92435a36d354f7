// Bulk copies that are under way.
#pragma once

#include <vector>

#include "kernels/emulation/agents.h"
#include "kernels/emulation/tensor_walk.h"
#include "kernels/launch.h"

namespace yolocu::emulation {

struct Block;
struct Thread;
class Cluster;

// A load: delivered at once or when no thread can go on without it.
struct BulkLoad {
  BoxAccess access;
  uint32_t mbarrier = 0;
  std::vector<Block*> blocks;  // destinations: one, or several of a multicast
  Thread* issuer = nullptr;
  AsyncAgent agent;
  CallSite site = {};
};

// A store of one thread: shared memory is read at the wait that guarantees it, global memory
// written at the one after.
struct BulkStore {
  BoxAccess access;
  AsyncAgent agent;   // reads shared memory
  AsyncAgent writer;  // writes global memory
  CallSite site = {};
  int64_t group = 0;
  std::vector<std::byte> bytes;  // what was read, chunk by chunk; empty before
  bool is_waited_for = false;    // the thread knows that it was read
};

// The stores of one thread, oldest first.
struct BulkStores {
  std::vector<BulkStore> items;
  int64_t open_group = 0;  // number of the group that the next commit closes

  void clear() {
    items.clear();
    open_group = 0;
  }
};

// Delivers one of the cluster's loads, drawn at random. False if there is none.
bool deliver_bulk_load(Cluster& cluster);

// At the thread's exit: its stores must have read shared memory; they write global memory now.
void finish_bulk_stores(Thread& thread);

}  // namespace yolocu::emulation
