#include "kernels/emulation/global_memory.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "engine/base/str_cat.h"

namespace yolocu::emulation {
namespace {

constexpr size_t kAlignment = 256;                     // cudaMalloc's
constexpr size_t kRedZone = 4096;                      // on both sides
constexpr size_t kQuarantineBytes = size_t{64} << 20;  // freed memory that is remembered
constexpr int64_t kMostBytes = int64_t{1} << 40;       // beyond any device; keeps sums in range
constexpr int kPoison = 0xFF;

std::string_view verb_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::kRead: return "read";
    case AccessKind::kAtomic: return "atomic access";
    default: return "write";
  }
}

}  // namespace

void GlobalMemory::Allocation::Release::operator()(std::byte* memory) const {
  std::free(memory);
}

Result<void*> GlobalMemory::allocate(int64_t bytes, std::string name) {
  if (bytes < 0 || bytes > kMostBytes) {
    return invalid_argument(str_cat("emulated memory '", name, "': cannot hold ", bytes, " bytes"));
  }
  const auto size = static_cast<size_t>(bytes);
  const size_t total = (size + kAlignment - 1) / kAlignment * kAlignment + 2 * kRedZone;
  Allocation allocation;
  allocation.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, total)));
  allocation.written.reset(new (std::nothrow) std::atomic<uint8_t>[size + 1]());
  if (allocation.memory == nullptr || allocation.written == nullptr) {
    return resource_exhausted(
        str_cat("emulated memory '", name, "': no room for ", bytes, " bytes"));
  }
  std::memset(allocation.memory.get(), kPoison, total);
  allocation.name = std::move(name);
  allocation.begin = allocation.memory.get() + kRedZone;
  allocation.bytes = size;
  const std::scoped_lock lock(mutex_);
  void* pointer = allocation.begin;
  by_begin_.insert_or_assign(allocation.memory.get(), std::move(allocation));
  return pointer;
}

Status GlobalMemory::release(void* pointer) {
  if (pointer == nullptr) return {};
  const std::scoped_lock lock(mutex_);
  Allocation* allocation = find(pointer);
  if (allocation == nullptr || allocation->begin != pointer) {
    return invalid_argument("emulated memory: a pointer that was never allocated is released");
  }
  if (allocation->state == State::kFreed) {
    return invalid_argument(str_cat("emulated memory '", allocation->name, "' is released twice"));
  }
  allocation->state = State::kFreed;
  freed_.push_back(allocation->memory.get());
  freed_bytes_ += allocation->bytes + 2 * kRedZone;
  while (freed_bytes_ > kQuarantineBytes) {
    const auto oldest = by_begin_.find(freed_.front());
    freed_bytes_ -= oldest->second.bytes + 2 * kRedZone;
    by_begin_.erase(oldest);
    freed_.pop_front();
  }
  return {};
}

// The allocation in whose memory, red zones included, the address lies.
const GlobalMemory::Allocation* GlobalMemory::find(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  auto next = by_begin_.upper_bound(at);
  if (next == by_begin_.begin()) return nullptr;
  const Allocation& allocation = std::prev(next)->second;
  return at < allocation.begin + allocation.bytes + kRedZone ? &allocation : nullptr;
}

GlobalMemory::Allocation* GlobalMemory::find(const void* address) {
  return const_cast<Allocation*>(static_cast<const GlobalMemory*>(this)->find(address));
}

Status GlobalMemory::check_range(const void* address, int64_t bytes) const {
  const Allocation* allocation = find(address);
  const auto* at = static_cast<const std::byte*>(address);
  if (allocation == nullptr || allocation->state == State::kFreed || bytes < 0 ||
      at < allocation->begin || bytes > allocation->begin + allocation->bytes - at) {
    return invalid_argument(str_cat("emulated memory: a copy of ", bytes, " bytes lies outside ",
                                    allocation == nullptr ? "every allocation" : allocation->name));
  }
  return {};
}

Status GlobalMemory::upload(void* dst, const void* src, int64_t bytes) {
  if (bytes == 0) return {};
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_range(dst, bytes));
  std::memcpy(dst, src, static_cast<size_t>(bytes));
  Allocation& allocation = *find(dst);
  const auto first = static_cast<size_t>(static_cast<std::byte*>(dst) - allocation.begin);
  for (size_t i = 0; i < static_cast<size_t>(bytes); ++i) {
    allocation.written[first + i].store(1, std::memory_order_relaxed);
  }
  return {};
}

Status GlobalMemory::download(void* dst, const void* src, int64_t bytes) const {
  if (bytes == 0) return {};
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_range(src, bytes));
  std::memcpy(dst, src, static_cast<size_t>(bytes));
  return {};
}

std::string GlobalMemory::outside_text(const Allocation& allocation, std::string_view verb,
                                       const std::byte* address, size_t size) {
  return str_cat("global ", verb, " out of bounds: ", size, " bytes at offset ",
                 address - allocation.begin, " of '", allocation.name, "', which has ",
                 allocation.bytes);
}

std::string GlobalMemory::access(AccessKind kind, const void* address, size_t size) {
  const std::string_view verb = verb_of(kind);
  const auto* at = static_cast<const std::byte*>(address);
  if (reinterpret_cast<uintptr_t>(address) % size != 0) {
    return str_cat("misaligned global ", verb, ": ", size, " bytes at ", address);
  }
  Allocation* allocation = find(address);
  if (allocation == nullptr) {
    return str_cat("global ", verb, " at ", address, ", which is in no allocation");
  }
  if (allocation->state == State::kFreed) {
    return str_cat("global ", verb, " of '", allocation->name, "' after it was released");
  }
  const std::byte* end = allocation->begin + allocation->bytes;
  if (at < allocation->begin || at >= end || size > static_cast<size_t>(end - at)) {
    return outside_text(*allocation, verb, at, size);
  }
  std::atomic<uint8_t>* written = &allocation->written[static_cast<size_t>(at - allocation->begin)];
  for (size_t i = 0; i < size; ++i) {
    if (kind == AccessKind::kWrite) {
      written[i].store(1, std::memory_order_relaxed);
    } else if (written[i].load(std::memory_order_relaxed) == 0) {
      return str_cat("global ", verb, " of uninitialised memory: byte ", at + i - allocation->begin,
                     " of '", allocation->name, "'");
    }
  }
  return {};
}

}  // namespace yolocu::emulation
