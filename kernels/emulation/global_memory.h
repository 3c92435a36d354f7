// Emulated device memory: host memory that knows its bounds, with red zones, and which bytes were
// written.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "kernels/emulation/shadow.h"
#include "yolocu/status.h"

namespace yolocu::emulation {

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

  // Copies from and to the host. kInvalidArgument outside an allocation.
  Status upload(void* dst, const void* src, int64_t bytes);
  Status download(void* dst, const void* src, int64_t bytes) const;

  // Empty, or what is wrong with an access by a kernel. Call only between begin_launch and
  // end_launch; a write marks its bytes as written.
  std::string access(AccessKind kind, const void* address, size_t size);

  void begin_launch() { mutex_.lock_shared(); }
  void end_launch() { mutex_.unlock_shared(); }

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
    std::unique_ptr<std::byte, Release> memory;       // with the red zones
    std::unique_ptr<std::atomic<uint8_t>[]> written;  // a flag a byte
  };

  const Allocation* find(const void* address) const;
  Allocation* find(const void* address);
  Status check_range(const void* address, int64_t bytes) const;
  static std::string outside_text(const Allocation& allocation, std::string_view verb,
                                  const std::byte* address, size_t size);

  mutable std::shared_mutex mutex_;
  std::map<const std::byte*, Allocation> by_begin_;  // keyed by the first byte of the red zone
  std::deque<const std::byte*> freed_;
  size_t freed_bytes_ = 0;
};

}  // namespace yolocu::emulation
