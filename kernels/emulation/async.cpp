// cp.async. Late: the destination is poison until the wait that guarantees the copy. Early: it has
// the bytes at once. Either way it may not be touched before the wait.
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/block.h"

namespace yolocu::emulation {
namespace {

constexpr int kPoison = 0xFF;

void check_copy(const Thread& thread, const AsyncCopy& copy, CallSite site) {
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
  }
  // The source is read whole elements at a time, so its bytes are checked one by one.
  for (int i = 0; what.empty() && i < copy.source_bytes; ++i) {
    what = block.launch.memory->access(AccessKind::kRead,
                                       static_cast<const std::byte*>(copy.src) + i, 1);
  }
  if (!what.empty()) thread.block->fail(thread, site, std::move(what));
}

void move_bytes(Block& block, const AsyncCopy& copy) {
  std::byte* dst = block.shared.data() + copy.dst;
  const auto source_bytes = static_cast<size_t>(copy.source_bytes);
  if (source_bytes > 0) std::memcpy(dst, copy.src, source_bytes);
  std::memset(dst + source_bytes, 0, static_cast<size_t>(copy.bytes) - source_bytes);
}

// Delivers all copies of groups below `end`.
void deliver(Thread& thread, int64_t end) {
  Block& block = *thread.block;
  AsyncQueue& queue = thread.copies;
  while (queue.first < queue.items.size() && queue.items[queue.first].group < end) {
    const AsyncCopy& copy = queue.items[queue.first++].copy;
    if (block.launch.options.delivery == AsyncDelivery::kLate) move_bytes(block, copy);
    if (block.launch.options.races == RaceCheck::kOn) {
      block.shadow.finish_async_write(thread.accessor(), copy.dst, static_cast<size_t>(copy.bytes));
    }
  }
  if (queue.first == queue.items.size()) {
    queue.items.clear();
    queue.first = 0;
  }
}

}  // namespace

void copy_async(const AsyncCopy& copy, CallSite site) {
  Thread& thread = *Block::current();
  Block& block = *thread.block;
  block.maybe_preempt(thread);
  check_copy(thread, copy, site);
  const auto bytes = static_cast<size_t>(copy.bytes);
  if (block.launch.options.races == RaceCheck::kOn) {
    std::string what =
        block.shadow.access(thread.accessor(), AccessKind::kAsyncWrite, copy.dst, bytes, site);
    if (!what.empty()) block.fail(thread, site, std::move(what));
  }
  if (block.launch.options.delivery == AsyncDelivery::kEarly) {
    move_bytes(block, copy);
  } else {
    std::memset(block.shared.data() + copy.dst, kPoison, bytes);
  }
  block.counters.async_copied_bytes += copy.source_bytes;
  thread.copies.items.push_back({copy, site, thread.copies.open_group});
}

void commit_copies(CallSite) {
  ++Block::current()->copies.open_group;
}

void wait_copies(int pending, CallSite) {
  Thread& thread = *Block::current();
  deliver(thread, thread.copies.open_group - pending);
}

void wait_all_copies(CallSite) {
  Thread& thread = *Block::current();
  deliver(thread, thread.copies.open_group + 1);
}

}  // namespace yolocu::emulation
