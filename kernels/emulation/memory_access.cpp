// Loads, stores and atomics of one thread: checked, counted, and now and then preempted.
#include "kernels/emulation/memory_access.h"

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

std::byte* access_shared(AccessKind kind, uint32_t address, size_t size, CallSite site) {
  Thread& thread = *running_thread;
  if (kind != AccessKind::kRead) wait_for_warp_ops(thread);
  thread.cluster->maybe_preempt(thread);
  check_shared(thread, kind, address, size, site);
  return thread.block->shared.data() + address;
}

[[noreturn]] void fail_shared(Thread& thread, Block& block, AccessKind kind, uint32_t address,
                              size_t size, CallSite site) {
  std::string what;
  if (address > block.shared.size() || size > block.shared.size() - address) {
    what = str_cat("shared memory out of bounds: ", size, " bytes at offset ",
                   static_cast<int32_t>(address), " of ", block.shared.size());
  } else if (address % size != 0) {
    what = str_cat("misaligned shared access: ", size, " bytes at offset ", address);
  } else {
    what = block.shadow.explain(thread.accessor(0), kind, address, size);
  }
  thread.cluster->fail(thread, site, std::move(what));
}

}  // namespace

std::byte* access_global(GlobalAccess kind, const void* address, size_t size, CallSite site) {
  Thread& thread = *running_thread;
  thread.cluster->maybe_preempt(thread);
  check_global(thread,
               {.kind = kind, .address = address, .size = size, .alignment = size, .site = site});
  if (thread.cluster->launch.options.counting == Counting::kRequests) {
    log_request(thread, Space::kGlobal, reinterpret_cast<uintptr_t>(address), size, site);
  }
  return static_cast<std::byte*>(const_cast<void*>(address));
}

void log_request(Thread& thread, Space space, uint64_t address, size_t size, CallSite site) {
  thread.warp->requests.add({site, space, thread.lane(), 0, address, static_cast<uint32_t>(size)});
}

void check_global(Thread& thread, const GlobalRequest& request) {
  check_global(thread, thread.cluster->accessor(thread), request);
}

void check_global(Thread& thread, const GlobalAccessor& by, const GlobalRequest& request) {
  Cluster& cluster = *thread.cluster;
  GlobalMemory& memory = *cluster.launch.memory;
  std::string what = cluster.launch.options.races == RaceCheck::kOn
                         ? memory.check(cluster.worker, by, request)
                         : memory.check_bounds(cluster.worker, request);
  if (!what.empty()) cluster.fail(thread, request.site, std::move(what));
  const auto bytes = static_cast<int64_t>(request.size);
  if (reads(request.kind)) cluster.counters.global_read_bytes += bytes;
  if (writes(request.kind)) cluster.counters.global_written_bytes += bytes;
}

void check_shared(Thread& thread, AccessKind kind, uint32_t address, size_t size, CallSite site) {
  check_shared(thread, *thread.block, kind, address, size, site);
}

void check_shared(Thread& thread, Block& block, AccessKind kind, uint32_t address, size_t size,
                  CallSite site) {
  const bool is_inside = address <= block.shared.size() && size <= block.shared.size() - address;
  if (!is_inside || address % size != 0) fail_shared(thread, block, kind, address, size, site);
  if (thread.cluster->launch.options.races == RaceCheck::kOn &&
      !block.shadow.access(thread.accessor(thread.cluster->site_number(site)), kind, address,
                           size)) {
    fail_shared(thread, block, kind, address, size, site);
  }
  if (block.mbarriers.overlaps(address, size)) {
    thread.cluster->fail(
        thread, site,
        str_cat("shared access to a live mbarrier: ", size, " bytes at offset ", address));
  }
  if (thread.cluster->launch.options.counting == Counting::kRequests) {
    log_request(thread, Space::kShared, address, size, site);
  }
}

const std::byte* read_global(const void* address, size_t size, CallSite site) {
  return access_global(GlobalAccess::kRead, address, size, site);
}

std::byte* write_global(void* address, size_t size, CallSite site) {
  return access_global(GlobalAccess::kWrite, address, size, site);
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
