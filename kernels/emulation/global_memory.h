// Emulated device memory: host memory that knows its bounds, with red zones, which bytes were
// written, and who accessed them last.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "kernels/device/target.h"
#include "kernels/emulation/call_sites.h"
#include "kernels/emulation/global_shadow.h"
#include "kernels/emulation/shadow.h"
#include "kernels/emulation/zero_pages.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu::emulation {

// What messages say of a launch. Clusters are numbered like the blocks of a grid of their own, x
// fastest; so are the blocks of a cluster, and then the threads of each block.
struct LaunchShape {
  std::string kernel;
  Index3 grid = {1, 1, 1}, block = {1, 1, 1}, cluster = {1, 1, 1};  // blocks, threads, blocks
  StartRule start = StartRule::kAfterPrevious;
};

// Fields of GlobalAccessor that a launch has in common.
struct LaunchEpoch {
  uint32_t epoch = 0;
  uint32_t first_in_chain = 0;  // oldest launch that may still run while this one does
};

// size > 0; alignment is a power of two.
struct GlobalRequest {
  GlobalAccess kind = GlobalAccess::kRead;
  const void* address = nullptr;
  size_t size = 0;
  size_t alignment = 1;
  CallSite site = {};
};

// Freed memory stays mapped, unusable, until the last 64 MiB freed are newer: a use after free is
// named as such. Allocation, release and copies may come from any host thread, but wait for
// launches to end; the checks of accesses are made by launches.
class GlobalMemory {
 public:
  // `bytes` >= 0 of poison (0xFF: NaN in every float type), aligned to 256 bytes like cudaMalloc's.
  // The name appears in messages.
  Result<void*> allocate(int64_t bytes, std::string name);
  // Forgets `pointer`, which allocate returned; nullptr is fine. kInvalidArgument otherwise.
  Status release(void* pointer);

  // Copies from and to the host; all launches before have ended. kInvalidArgument outside an
  // allocation.
  Status upload(void* dst, const void* src, int64_t bytes);
  Status download(void* dst, const void* src, int64_t bytes);

  // kInvalidArgument unless the bytes lie in one live allocation.
  Status check_copy(const void* address, int64_t bytes) const;

  // One launch at a time, though a dependent one is treated as if all since the last copy or launch
  // that was not dependent were still running. It has fewer than 2^32 clusters.
  LaunchEpoch begin_launch(const LaunchShape& shape = {},
                           GlobalShadow::Sharing sharing = GlobalShadow::Sharing::kManyHostThreads);
  const SiteTable& sites() const { return sites_; }
  void end_launch() { mutex_.unlock_shared(); }

  // What one host thread keeps between the accesses of one launch.
  class Worker;

  // Empty, or what is wrong with an access by a kernel: out of bounds, misaligned, released, never
  // written, a race, or too early in a dependent launch. Call only between begin_launch and
  // end_launch; a write marks its bytes as written. check does all, check_bounds all but races and
  // dependent launches.
  std::string check(Worker& worker, const GlobalAccessor& by, const GlobalRequest& request);
  std::string check_bounds(Worker& worker, const GlobalRequest& request);
  // "byte 4 of 'name'", for messages.
  std::string place_of(const void* address) const;
  // Brings what a check of these 16 bytes will look at nearer; it may be anywhere.
  void prefetch(Worker& worker, const void* address);
  // check_bounds, slower, with alignment to the size.
  std::string access(AccessKind kind, const void* address, size_t size);

 private:
  enum class State : uint8_t { kLive, kFreed };
  struct Allocation {
    std::string name;
    std::byte* begin = nullptr;
    size_t bytes = 0;
    State state = State::kLive;
    struct Release {
      void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte, Release> memory;  // with the red zones
    ZeroPages written;                           // uint16_t a granule, a bit a byte
    GlobalShadow shadow;
  };

  const Allocation* find(const void* address) const;
  Allocation* find(const void* address);
  Status check_range(const void* address, int64_t bytes) const;
  Allocation* locate(Worker& worker, const GlobalRequest& request);
  std::string outside_text(const GlobalRequest& request) const;
  std::string check_closely(Allocation& allocation, size_t offset, const GlobalAccessor& by,
                            const GlobalRequest& request);
  static std::string check_written(Allocation& allocation, const GlobalRequest& request);
  std::string conflict_text(const Allocation& allocation, const GlobalAccessor& by,
                            GlobalAccess kind, const GlobalConflict& conflict) const;

  mutable std::shared_mutex mutex_;
  std::map<const std::byte*, Allocation> by_begin_;  // keyed by the first byte of the red zone
  std::deque<const std::byte*> freed_;
  size_t freed_bytes_ = 0;
  SiteTable sites_;
  GlobalShadow::Sharing sharing_ = GlobalShadow::Sharing::kManyHostThreads;  // of the last launch
  uint32_t epoch_ = 0, first_in_chain_ = 1;
  std::map<uint32_t, LaunchShape> shapes_;  // of the chain
};

class GlobalMemory::Worker {
 public:
  explicit Worker(GlobalMemory& memory) : sites_(memory.sites_) {}

  // For GlobalAccessor::sites.
  SiteCache& sites() { return sites_; }

 private:
  friend class GlobalMemory;
  static constexpr size_t kRecent = 4;

  std::array<Allocation*, kRecent> recent_ = {};
  size_t next_ = 0;  // of recent_ to go
  SiteCache sites_;
};

}  // namespace yolocu::emulation
