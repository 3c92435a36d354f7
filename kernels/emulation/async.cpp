// cp.async. Late: the destination is poison until the wait that guarantees the copy. Early: it has
// the bytes at once. Either way it may not be touched before the wait.
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

constexpr int kPoison = 0xFF;

// What is wrong with a copy, whatever its source holds.
void check_copy(Thread& thread, const AsyncCopy& copy, CallSite site) {
  const Block& block = *thread.block;
  const auto bytes = static_cast<uint32_t>(copy.bytes);
  std::string what;
  if (copy.source_bytes < 0 || copy.source_bytes > copy.bytes) {
    what = str_cat("asynchronous copy of ", copy.bytes, " bytes: expected 0..", copy.bytes,
                   " bytes of source, got ", copy.source_bytes);
  } else if (copy.dst > block.shared.size() || bytes > block.shared.size() - copy.dst) {
    what = str_cat("shared memory out of bounds: asynchronous copy of ", bytes, " bytes to offset ",
                   static_cast<int32_t>(copy.dst), " of ", block.shared.size());
  } else if (copy.dst % bytes != 0 || reinterpret_cast<uintptr_t>(copy.src) % bytes != 0) {
    what = str_cat("misaligned asynchronous copy of ", bytes, " bytes: to offset ", copy.dst,
                   ", from ", copy.src);
  } else {
    return;
  }
  thread.cluster->fail(thread, site, std::move(what));
}

// The copy reads its source until the wait, but knows no more than its thread did when it began.
void check_source(Thread& thread, const AsyncQueue::Item& item) {
  if (item.copy.source_bytes == 0) return;
  check_global(thread, thread.cluster->accessor(thread, *item.known),
               {.kind = GlobalAccess::kRead,
                .address = item.copy.src,
                .size = static_cast<size_t>(item.copy.source_bytes),
                .site = item.site});
}

// Nearly all copies are of 16 whole bytes, which the compiler moves at once if it sees the number.
void move_bytes(std::byte* dst, const AsyncCopy& copy) {
  if (copy.source_bytes == 16) {
    std::memcpy(dst, copy.src, 16);
    return;
  }
  const auto source_bytes = static_cast<size_t>(copy.source_bytes);
  if (source_bytes > 0) std::memcpy(dst, copy.src, source_bytes);
  std::memset(dst + source_bytes, 0, static_cast<size_t>(copy.bytes) - source_bytes);
}

void poison(std::byte* dst, int bytes) {
  if (bytes == 16) {
    std::memset(dst, kPoison, 16);
  } else {
    std::memset(dst, kPoison, static_cast<size_t>(bytes));
  }
}

// A warp's copies are a request to each memory; what is filled with zeros is only written.
void log_copy(Thread& thread, const AsyncCopy& copy, CallSite site) {
  log_request(thread, Space::kShared, copy.dst, static_cast<size_t>(copy.bytes), site);
  if (copy.source_bytes == 0) return;
  log_request(thread, Space::kGlobal, reinterpret_cast<uintptr_t>(copy.src),
              static_cast<size_t>(copy.source_bytes), site);
}

// Delivers all copies of groups below `end`.
void deliver(Thread& thread, int64_t end) {
  Block& block = *thread.block;
  Cluster& cluster = *thread.cluster;
  AsyncQueue& queue = thread.copies;
  const EmulationOptions& options = cluster.launch.options;
  while (queue.first < queue.items.size() && queue.items[queue.first].group < end) {
    const AsyncQueue::Item& item = queue.items[queue.first++];
    const AsyncCopy& copy = item.copy;
    check_source(thread, item);
    cluster.clocks.release(item.known);
    if (options.delivery == AsyncDelivery::kLate) {
      move_bytes(block.shared.data() + copy.dst, copy);
    }
    if (options.races == RaceCheck::kOn) {
      block.shadow.finish_async_write(thread.accessor(0), copy.dst,
                                      static_cast<size_t>(copy.bytes));
    }
  }
  if (queue.first == queue.items.size()) {
    queue.items.clear();
    queue.first = 0;
  }
}

}  // namespace

void copy_async(const AsyncCopy& copy, CallSite site) {
  Thread& thread = *running_thread;
  Cluster& cluster = *thread.cluster;
  Block& block = *thread.block;
  wait_for_warp_ops(thread);
  cluster.maybe_preempt(thread);
  check_copy(thread, copy, site);
  const EmulationOptions& options = cluster.launch.options;
  if (options.races == RaceCheck::kOn) {
    cluster.launch.memory->prefetch(cluster.worker, copy.src);
    const auto bytes = static_cast<size_t>(copy.bytes);
    const Accessor by = thread.accessor(cluster.site_number(site));
    if (!block.shadow.access(by, AccessKind::kAsyncWrite, copy.dst, bytes)) {
      cluster.fail(thread, site,
                   block.shadow.explain(by, AccessKind::kAsyncWrite, copy.dst, bytes));
    }
  }
  AsyncQueue::Item item{copy, site, thread.copies.open_group, nullptr};
  cluster.clocks.share(item.known, thread.known);
  std::byte* dst = block.shared.data() + copy.dst;
  if (options.delivery == AsyncDelivery::kEarly) {
    check_source(thread, item);
    move_bytes(dst, copy);
  } else {
    poison(dst, copy.bytes);
  }
  cluster.counters.async_copied_bytes += copy.source_bytes;
  if (options.counting == Counting::kRequests) log_copy(thread, copy, site);
  thread.copies.items.push_back(item);
}

void commit_copies(CallSite) {
  ++running_thread->copies.open_group;
}

void wait_copies(int pending, CallSite) {
  Thread& thread = *running_thread;
  deliver(thread, thread.copies.open_group - pending);
}

void wait_all_copies(CallSite) {
  Thread& thread = *running_thread;
  deliver(thread, thread.copies.open_group + 1);
}

}  // namespace yolocu::emulation
