#include "kernels/emulation/bulk_copy.h"

#include <bit>
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/async_proxy.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

constexpr int kPoison = 0xFF;

void check_issue(Thread& thread, const BoxAccess& access, const BoxInstruction& instruction,
                 CallSite site) {
  std::string what = box_access_error(access, instruction);
  const int64_t end = access.shared_address + box_shape(access.map).footprint_bytes();
  const auto size = static_cast<int64_t>(thread.block->shared.size());
  if (what.empty() && end > size) {
    what = str_cat("shared memory out of bounds: a box at offset ", access.shared_address,
                   " takes ", end - access.shared_address, " bytes of ", size);
  }
  if (!what.empty()) thread.cluster->fail(thread, site, std::move(what));
}

// What the copy fills chunk by chunk.
void fill_chunk(std::byte* to, const BoxChunk& chunk, MapFill fill) {
  if (chunk.valid_bytes == kBoxChunkBytes) {
    std::memcpy(to, chunk.global, kBoxChunkBytes);
    return;
  }
  for (uint32_t i = 0; i < kBoxChunkBytes; ++i) to[i] = std::byte{map_fill_byte(fill, i)};
  if (chunk.valid_bytes > 0) std::memcpy(to + chunk.first_valid, chunk.global, chunk.valid_bytes);
}

void move_box(const BulkLoad& load) {
  for (Block* block : load.blocks) {
    for_each_chunk(load.access, [&](const BoxChunk& chunk) {
      fill_chunk(block->shared.data() + chunk.shared_address, chunk, load.access.map.fill);
    });
  }
}

// All bytes of a load arrive at once, in all blocks of a multicast: the device may count them in
// pieces, so that a phase that expects too few can complete early there; here it never does.
// What is wrong with reading the source: at the issue, and again at the delivery, as it may be read
// at any time between.
std::string source_error(Cluster& cluster, const BulkLoad& load) {
  GlobalMemory& memory = *cluster.launch.memory;
  const GlobalAccessor by = cluster.accessor(*load.issuer, load.agent);
  std::string what;
  for_each_row(load.access, [&](const BoxRow& row) {
    if (row.valid_bytes == 0 || !what.empty()) return;
    const GlobalRequest request{.kind = GlobalAccess::kRead,
                                .address = row.global,
                                .size = row.valid_bytes,
                                .site = load.site};
    what = cluster.launch.options.races == RaceCheck::kOn
               ? memory.check(cluster.worker, by, request)
               : memory.check_bounds(cluster.worker, request);
  });
  return what;
}

int64_t source_bytes(const BoxAccess& access) {
  int64_t bytes = 0;
  for_each_row(access, [&](const BoxRow& row) { bytes += row.valid_bytes; });
  return bytes;
}

void deliver(Cluster& cluster, BulkLoad& load) {
  std::string what = source_error(cluster, load);
  if (!what.empty()) cluster.abandon_kernel(*load.issuer, load.site, std::move(what));
  if (cluster.launch.options.delivery == AsyncDelivery::kLate) move_box(load);
  for (Block* block : load.blocks) {
    if (cluster.launch.options.races == RaceCheck::kOn) {
      const AgentClock id = load.agent.id;
      const Accessor by{id.agent, id.clock, load.agent.known, 0, id.clock};
      for_each_chunk(load.access, [&](const BoxChunk& chunk) {
        block->shadow.finish_async_write(by, chunk.shared_address, kBoxChunkBytes);
      });
    }
    MBarrierState* barrier = block->mbarriers.find(load.mbarrier);
    if (barrier == nullptr) continue;  // only while a failed kernel ends
    complete_bytes(cluster, *barrier, box_shape(load.access.map).moved_bytes(), load.agent.id);
  }
  release_agent(cluster, load.agent);
}

// Blocks of a cluster use the same offsets.
uint32_t slot_of_load(const Block& block, uint32_t mbarrier) {
  return mbarrier / kMBarrierBytes + block.cluster_rank * 8;
}

// The copy may write from now on, until it is delivered.
void begin_writes(Thread& thread, const BulkLoad& load) {
  for (Block* block : load.blocks) {
    block->outside_uses.record(load.agent.id.agent, load.agent.id.clock, load.site);
    block->mbarriers.find(load.mbarrier)->copy = load.agent.id;
    for_each_chunk(load.access, [&](const BoxChunk& chunk) {
      async_access(thread, *block, load.agent, AccessKind::kAsyncWrite, chunk.shared_address,
                   kBoxChunkBytes, load.site);
      std::memset(block->shared.data() + chunk.shared_address, kPoison, kBoxChunkBytes);
    });
  }
}

std::vector<Block*> blocks_of(Thread& thread, uint32_t block_mask, CallSite site) {
  std::vector<Block*> blocks;
  for (; block_mask != 0; block_mask &= block_mask - 1) {
    blocks.push_back(
        &block_for_use(thread, static_cast<uint32_t>(std::countr_zero(block_mask)), site));
  }
  if (blocks.empty()) thread.cluster->fail(thread, site, "multicast to no block");
  return blocks;
}

void read_source(Thread& thread, BulkStore& store) {
  const Block& block = *thread.block;
  for_each_chunk(store.access, [&](const BoxChunk& chunk) {
    const std::byte* from = block.shared.data() + chunk.shared_address;
    store.bytes.insert(store.bytes.end(), from, from + kBoxChunkBytes);
  });
}

// A store writes a chunk whole if it begins inside the tensor: see device/tensor_map.h. A store's
// coordinates are not negative, so that no chunk begins outside and ends inside.
//
// From the issue on global memory may be written; nobody but who waits for it knows when.
void begin_writes(Thread& thread, BulkStore& store) {
  const GlobalAccessor by = thread.cluster->accessor(thread, store.writer);
  for_each_chunk(store.access, [&](const BoxChunk& chunk) {
    if (chunk.valid_bytes == 0) return;
    check_global(thread, by,
                 {.kind = GlobalAccess::kWrite,
                  .address = chunk.global,
                  .size = kBoxChunkBytes,
                  .site = store.site});
  });
}

void write_destination(Thread& thread, BulkStore& store) {
  const std::byte* from = store.bytes.data();
  for_each_chunk(store.access, [&](const BoxChunk& chunk) {
    if (chunk.valid_bytes > 0) std::memcpy(chunk.global, from, kBoxChunkBytes);
    from += kBoxChunkBytes;
  });
  learn_agent(thread, store.writer);
  release_agent(*thread.cluster, store.agent);
  release_agent(*thread.cluster, store.writer);
}

// Groups below `end` have read shared memory.
void read_sources(Thread& thread, int64_t end) {
  for (BulkStore& store : thread.stores.items) {
    if (store.group >= end || store.is_waited_for) continue;
    if (store.bytes.empty()) read_source(thread, store);
    store.is_waited_for = true;
    learn_agent(thread, store.agent);
  }
}

void finish_stores(Thread& thread, int64_t end) {
  read_sources(thread, end);
  for (BulkStore& store : thread.stores.items) {
    if (store.group < end) write_destination(thread, store);
  }
  std::erase_if(thread.stores.items, [&](const BulkStore& store) { return store.group < end; });
}

}  // namespace

bool deliver_bulk_load(Cluster& cluster) {
  if (cluster.bulk_loads.empty()) return false;
  std::vector<BulkLoad>& loads = cluster.bulk_loads;
  std::swap(loads[cluster.draw(static_cast<uint32_t>(loads.size()))], loads.back());
  BulkLoad load = std::move(loads.back());
  loads.pop_back();
  deliver(cluster, load);
  return true;
}

void finish_bulk_stores(Thread& thread) {
  for (const BulkStore& store : thread.stores.items) {
    if (store.is_waited_for) continue;
    thread.cluster->fail(thread, store.site,
                         "the thread exits with a bulk store that may not have read shared memory "
                         "yet: wait_stores_read is missing");
  }
  finish_stores(thread, thread.stores.open_group + 1);
}

void load_box(const BoxAccess& access, uint32_t mbarrier, MapMode mode, int rank,
              uint32_t block_mask, CallSite site) {
  Thread& thread = *running_thread;
  Cluster& cluster = *thread.cluster;
  wait_for_warp_ops(thread);
  cluster.maybe_preempt(thread);
  cluster.require(thread, 90, "bulk copies", site);
  check_issue(thread, access, {mode, BoxDirection::kLoad, rank}, site);
  BulkLoad load{.access = access,
                .mbarrier = mbarrier,
                .blocks = {},
                .issuer = &thread,
                .agent = {},
                .site = site};
  load.blocks = block_mask == kOwnBlock ? std::vector<Block*>{thread.block}
                                        : blocks_of(thread, block_mask, site);
  for (Block* block : load.blocks) mbarrier_for_copy(thread, *block, mbarrier, site);
  load.agent = make_agent(thread, AgentKind::kLoad, slot_of_load(*load.blocks[0], mbarrier));
  std::string what = source_error(cluster, load);
  if (!what.empty()) cluster.fail(thread, site, std::move(what));
  cluster.counters.global_read_bytes += source_bytes(access);
  begin_writes(thread, load);
  cluster.counters.bulk_copied_bytes +=
      box_shape(access.map).moved_bytes() * static_cast<int64_t>(load.blocks.size());
  if (cluster.launch.options.delivery == AsyncDelivery::kEarly) {
    move_box(load);
    deliver(cluster, load);
  } else {
    cluster.bulk_loads.push_back(std::move(load));
  }
}

void store_box(const BoxAccess& access, int rank, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  thread.cluster->require(thread, 90, "bulk copies", site);
  check_issue(thread, access, {MapMode::kTiled, BoxDirection::kStore, rank}, site);
  BulkStore store{.access = access,
                  .agent = make_agent(thread, AgentKind::kStore, thread.id / kLanes),
                  .writer = make_agent(thread, AgentKind::kStoredGlobal, thread.id / kLanes),
                  .site = site,
                  .group = thread.stores.open_group,
                  .bytes = {}};
  for_each_chunk(access, [&](const BoxChunk& chunk) {
    // What is dropped need not be written. A chunk that is stored in part must be written whole:
    // stricter than the device.
    if (chunk.valid_bytes == 0) return;
    async_access(thread, *thread.block, store.agent, AccessKind::kRead, chunk.shared_address,
                 kBoxChunkBytes, site);
  });
  begin_writes(thread, store);
  thread.cluster->counters.bulk_copied_bytes += box_shape(access.map).moved_bytes();
  if (thread.cluster->launch.options.delivery == AsyncDelivery::kEarly) read_source(thread, store);
  thread.stores.items.push_back(std::move(store));
}

void commit_stores(CallSite) {
  ++running_thread->stores.open_group;
}

void wait_stores_read(int pending, CallSite) {
  Thread& thread = *running_thread;
  read_sources(thread, thread.stores.open_group - pending);
}

void wait_stores(int pending, CallSite) {
  Thread& thread = *running_thread;
  finish_stores(thread, thread.stores.open_group - pending);
}

}  // namespace yolocu::emulation
