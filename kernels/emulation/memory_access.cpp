// Loads, stores and atomics of one thread: checked, counted, and now and then preempted.
#include "engine/base/str_cat.h"
#include "kernels/emulation/block.h"

namespace yolocu::emulation {
namespace {

void log_request(const Thread& thread, Space space, uint64_t address, size_t size, CallSite site) {
  Block& block = *thread.block;
  if (block.launch.options.counting == Counting::kTotals) return;
  block.warps[thread.warp()].requests.add(
      {site, space, thread.lane(), 0, address, static_cast<uint32_t>(size)});
}

std::byte* access_global(AccessKind kind, const void* address, size_t size, CallSite site) {
  Thread& thread = *Block::current();
  Block& block = *thread.block;
  block.maybe_preempt(thread);
  std::string what = block.launch.memory->access(kind, address, size);
  if (!what.empty()) block.fail(thread, site, std::move(what));
  const auto bytes = static_cast<int64_t>(size);
  if (kind != AccessKind::kWrite) block.counters.global_read_bytes += bytes;
  if (kind != AccessKind::kRead) block.counters.global_written_bytes += bytes;
  log_request(thread, Space::kGlobal, reinterpret_cast<uintptr_t>(address), size, site);
  return static_cast<std::byte*>(const_cast<void*>(address));
}

std::byte* access_shared(AccessKind kind, uint32_t address, size_t size, CallSite site) {
  Thread& thread = *Block::current();
  Block& block = *thread.block;
  block.maybe_preempt(thread);
  if (address > block.shared.size() || size > block.shared.size() - address) {
    block.fail(thread, site,
               str_cat("shared memory out of bounds: ", size, " bytes at offset ",
                       static_cast<int32_t>(address), " of ", block.shared.size()));
  }
  if (address % size != 0) {
    block.fail(thread, site,
               str_cat("misaligned shared access: ", size, " bytes at offset ", address));
  }
  if (block.launch.options.races == RaceCheck::kOn) {
    std::string what = block.shadow.access(thread.accessor(), kind, address, size, site);
    if (!what.empty()) block.fail(thread, site, std::move(what));
  }
  log_request(thread, Space::kShared, address, size, site);
  return block.shared.data() + address;
}

}  // namespace

const std::byte* read_global(const void* address, size_t size, CallSite site) {
  return access_global(AccessKind::kRead, address, size, site);
}

std::byte* write_global(void* address, size_t size, CallSite site) {
  return access_global(AccessKind::kWrite, address, size, site);
}

std::byte* atomic_global(void* address, size_t size, CallSite site) {
  return access_global(AccessKind::kAtomic, address, size, site);
}

const std::byte* read_shared(uint32_t address, size_t size, CallSite site) {
  return access_shared(AccessKind::kRead, address, size, site);
}

std::byte* write_shared(uint32_t address, size_t size, CallSite site) {
  return access_shared(AccessKind::kWrite, address, size, site);
}

std::byte* atomic_shared(uint32_t address, size_t size, CallSite site) {
  return access_shared(AccessKind::kAtomic, address, size, site);
}

}  // namespace yolocu::emulation
